import type { ElectorateUnits } from '../../../../../plugins/mutex/core/electorate/units.ts'
import { grown } from './grown.ts'
import { type Member, World } from './world.ts'

const paxos = ['prepare', 'promise', 'accept', 'accepted', 'preempted', 'chain']

/**
 * Of three voters, two propose against each other and hear only the third, which
 * restarts whenever it has promised or accepted something, half of the time before its
 * answer arrives. Throws when a version is decided twice.
 */
export function duel(seed: number, units: Partial<ElectorateUnits> = {}): World {
  const config = { headMs: 500, maxVoters: 3, retiredMs: 1000, retiredMaxMs: 1000 }
  const world = new World({ seed, units, config, mostDelayMs: 30 })
  const { random } = world
  grown(world, 7, 3)
  for (let round = 0; round < 8; round++) {
    const [first, second, third] = random.shuffled(world.voters.map((id) => world.peer(id))) as [
      Member,
      Member,
      Member,
    ]
    let restarts = 0
    const restart = (): void => {
      if (restarts++ > 8 || !third.isRunning) return
      third.crash()
      third.start()
    }
    world.passes = (from, to, { type }) => {
      if (!paxos.includes(type)) return true
      if (from !== third && to !== third) return false
      const isAnswer = from === third && (type === 'promise' || type === 'accepted')
      if (isAnswer && random.chance(0.5)) world.at(random.between(0, 60), restart)
      return random.chance(0.6)
    }
    first.wish({ type: 'remove', peer: third.id })
    world.run(random.between(0, 50))
    second.wish({ type: 'remove', peer: first.id })
    world.run(random.between(1000, 4000))
    world.passes = () => true
    world.until(() => world.voters.length === 3 && world.isServing, 60_000, `seed ${seed}, round ${round}`)
  }
  return world
}

import type { ElectorateUnits } from '../../../../../plugins/mutex/core/electorate/units.ts'
import { grown } from './grown.ts'
import { type Member, World } from './world.ts'

const paxos = ['prepare', 'promise', 'accept', 'accepted', 'preempted', 'chain']

/**
 * Of three voters, two propose against each other and hear only the third, which
 * restarts in between. Throws when a version is decided twice.
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
    world.passes = (from, to, { type }) =>
      !paxos.includes(type) || ((from === third || to === third) && random.chance(0.7))
    first.wish({ type: 'remove', peer: third.id })
    world.run(random.between(0, 100))
    second.wish({ type: 'remove', peer: first.id })
    for (let i = 0; i < 3; i++) {
      world.run(random.between(10, 300))
      third.crash()
      third.start()
    }
    world.run(random.between(0, 2000))
    world.passes = () => true
    world.until(() => world.voters.length === 3 && world.isServing, 60_000, `seed ${seed}, round ${round}`)
  }
  return world
}

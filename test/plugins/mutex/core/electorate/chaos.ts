import assert from 'node:assert/strict'
import { isQuorum } from '../../../../../lib/protocols/quorum/quorum.ts'
import type { ElectorateUnits } from '../../../../../plugins/mutex/core/electorate/units.ts'
import { type Member, World } from './world.ts'

const rounds = 40

export interface ChaosOptions {
  readonly units?: Partial<ElectorateUnits>
  /** Disks go back, too. */
  readonly backups?: boolean
  readonly story?: (line: string) => void
}

/** A seeded run of everything at once: then it is left alone, and has to serve. */
export function chaos(
  seed: number,
  { units = {}, backups = false, story = () => {} }: ChaosOptions = {},
): World {
  const world = new World({ seed, loss: 0.05, doubled: 0.05, mostDelayMs: 60, units })
  const { random } = world
  const images = new Map<Member, Member['disk']>()
  const left = new Set<Member>()
  const say = (line: string): void => story(`${world.now.toFixed(0)} ${line}`)
  world.add('founder')
  for (let i = random.whole(2, 5); i > 0; i--) world.add('joiner')
  if (random.chance(0.2)) world.add('founder')
  for (let round = 0; round < rounds; round++) {
    world.run(random.exponential(1500))
    const running = world.running
    const down = world.peers.filter((peer) => !peer.isRunning && !left.has(peer))
    const deed = random.weighted({
      crash: 4,
      half: 3,
      start: 6,
      cut: 2,
      heal: 3,
      add: world.peers.length < 9 ? 1 : 0,
      leave: 1,
      remove: 1,
      grant: 3,
      backup: backups ? 1 : 0,
      restore: backups && down.some((peer) => images.has(peer)) ? 2 : 0,
    })
    if (running.length > 0) {
      const one = random.pick(running)
      const other = random.pick(running)
      switch (deed) {
        case 'crash':
          say(`crash ${one.text()}`)
          one.crash()
          break
        case 'half':
          say(`half ${one.text()}`)
          one.diesAfter = random.chance(0.3) ? 'before-disk' : random.whole(0, 3)
          break
        case 'cut': {
          const [first = [], second = []] = [running.filter(() => random.chance(0.5))].flatMap((a) => [
            a,
            running.filter((peer) => !a.includes(peer)),
          ])
          say(`cut ${first.map((peer) => peer.id.slice(-4))} | ${second.map((peer) => peer.id.slice(-4))}`)
          world.partition(first, second)
          break
        }
        case 'leave': {
          // A sole voter that is alone may go: those that come back then find nobody.
          if (world.voters.length === 1 && down.length > 0) break
          say(`leave ${one.text()}`)
          const token = one.wish({ type: 'leave', peer: one.id })
          world.run(4000)
          if (one.outcome(token) === 'done' && one.isRunning) {
            say(`gone ${one.text()}`)
            one.leave()
            left.add(one)
          }
          break
        }
        case 'remove':
          say(`remove ${other.text()} by ${one.id.slice(-4)}`)
          one.wish({ type: random.chance(0.5) ? 'remove' : 'add', peer: other.id })
          break
        case 'grant':
          one.arbiter?.grant()
          break
        case 'backup':
          images.set(one, one.disk)
          break
      }
    }
    if (deed === 'start' && down.length > 0) {
      const one = random.pick(down)
      say(`start ${one.id.slice(-4)}`)
      one.start()
    }
    if (deed === 'restore') {
      const one = random.pick(down.filter((peer) => images.has(peer)))
      // Nobody can know what only those know who are not there: the other voters are.
      const others = world.voters.filter((id) => id !== one.id).map((id) => world.peer(id))
      if (others.length < 2 || !others.every(({ isRunning }) => isRunning)) continue
      world.heal()
      one.disk = images.get(one) as Member['disk']
      say(`restore ${one.id.slice(-4)}`)
      one.start()
      world.run(1000)
    }
    if (deed === 'heal') {
      say('heal')
      world.heal()
    }
    if (deed === 'add') world.add('joiner')
  }
  for (const peer of world.peers) {
    if (!peer.isRunning && !left.has(peer)) peer.start()
    peer.diesAfter = undefined
  }
  world.heal()
  say('left alone')
  for (const peer of world.running) say(peer.text())
  return world
}

/** Fails unless it serves, but where nobody may vote any more: whoever could is gone for good, or its disk went back. */
export function serves(world: World, seed: number): void {
  const isOver = (): boolean => {
    const could = world.running.filter(({ view }) => view.void === undefined)
    return !isQuorum(world.voters, new Set(could.map(({ id }) => id)))
  }
  world.until(() => world.isServing || isOver(), 30_000, `seed ${seed}`)
  if (!world.isServing) {
    const [sole] = world.voters
    const isGone = world.voters.length <= 1 && !world.running.some(({ id }) => id === sole)
    assert.ok(isGone || world.running.some(({ view }) => view.void !== undefined), `seed ${seed}`)
  }
  assert.deepEqual(world.blamed, [], `seed ${seed}`)
}

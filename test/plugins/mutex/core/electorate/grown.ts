import assert from 'node:assert/strict'
import type { Member, World } from './world.ts'

/** A founder and joiners, of which `voters` vote. */
export function grown(world: World, peers: number, voters: number): Member[] {
  world.add('founder')
  while (world.peers.length < peers) world.add('joiner')
  world.until(() => world.voters.length === voters && world.isServing, 20_000, `${voters} voters`)
  world.run(3000)
  assert.deepEqual(world.blamed, [])
  return world.peers
}

import assert from 'node:assert/strict'
import { grown } from './grown.ts'
import type { Member } from './world.ts'
import { World } from './world.ts'

function leave(world: World, peer: Member): string {
  const token = peer.wish({ type: 'leave', peer: peer.id })
  world.until(() => peer.outcome(token) !== undefined, 5000, 'an answer')
  return peer.outcome(token) ?? ''
}

describe('leave', () => {
  it('lets a peer that does not vote go at once', () => {
    const world = new World()
    const peers = grown(world, 4, 3)
    const member = peers.find(({ id }) => !world.voters.includes(id)) as Member
    assert.equal(leave(world, member), 'done')
  })

  it('puts a waiting peer in the place of a voter', () => {
    const world = new World()
    grown(world, 4, 3)
    const voter = world.peer(world.voters[1] as never)
    const { now } = world
    assert.equal(leave(world, voter), 'done')
    assert.ok(world.now - now < 1000, `${world.now - now} ms`)
    voter.leave()
    world.run(1000)
    assert.equal(world.voters.length, 3)
    assert.ok(!world.voters.includes(voter.id) && world.isServing)
  })

  it('shrinks from five to three to one, and the last may go when it is alone', () => {
    const world = new World()
    grown(world, 5, 5)
    for (const left of [3, 3, 1, 1]) {
      const voter = world.running.find(({ id }) => id === world.voters.at(-1)) as Member
      assert.equal(leave(world, voter), 'done')
      voter.leave()
      world.until(() => world.voters.length === left && world.isServing, 5000, `${left} voters`)
      world.run(3000)
    }
    assert.equal(world.running.length, 1)
    assert.equal(leave(world, world.running[0] as Member), 'done')
  })

  it('of a sole voter hands over to a peer that waits', () => {
    const world = new World()
    const founder = world.add('founder')
    const joiner = world.add('joiner')
    world.run(5000)
    assert.equal(leave(world, founder), 'done')
    founder.leave()
    world.until(() => world.isServing, 3000, 'the other serves')
    assert.deepEqual(world.voters, [joiner.id])
  })

  it('is refused while those who stay could not go on', () => {
    const world = new World()
    const peers = grown(world, 3, 3)
    const [first, second, third] = peers as [Member, Member, Member]
    second.crash()
    third.crash()
    world.run(3000)
    assert.equal(leave(world, first), 'refused incomplete')
    assert.equal(first.view.self, 'serving')
  })

  it('of a voter that may not vote is seen to by the others', () => {
    const world = new World()
    grown(world, 4, 3)
    const voter = world.peer(world.voters[1] as never)
    voter.crash()
    voter.disk = new Map()
    voter.start()
    world.run(3000)
    assert.equal(voter.view.self, 'void')
    assert.equal(leave(world, voter), 'done')
    assert.ok(!world.voters.includes(voter.id))
  })

  it('keeps what a change needs: whoever left before is never missed', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = new World({ seed, loss: 0.1, doubled: 0.1, mostDelayMs: 50 })
      grown(world, 5, 5)
      const voter = world.running.find(({ id }) => id === world.voters[seed % 5]) as Member
      if (leave(world, voter) !== 'done') continue
      voter.leave()
      world.until(() => world.isServing && !world.voters.includes(voter.id), 10_000, 'serving without it')
    }
  })
})

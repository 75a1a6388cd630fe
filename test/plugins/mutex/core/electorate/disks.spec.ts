import assert from 'node:assert/strict'
import { grown } from './grown.ts'
import type { Member } from './world.ts'
import { World } from './world.ts'

describe('a disk', () => {
  it('that was restored from a backup shows, and its voter serves no more until it is removed and added', () => {
    const world = new World()
    const peers = grown(world, 3, 3)
    const voter = world.peer(world.voters[1] as never)
    const backup = voter.disk
    voter.arbiter?.grant()
    world.run(1000)
    voter.crash()
    voter.disk = backup
    voter.start()
    world.run(3000)
    assert.equal(voter.view.void, 'rolled-back')
    assert.equal(voter.view.self, 'void')
    assert.ok(world.isServing)
    // It stays so over a restart.
    voter.crash()
    voter.start()
    world.run(3000)
    assert.equal(voter.view.void, 'rolled-back')
    assert.equal(voter.view.change, undefined)
    const other = peers.find((peer) => peer !== voter) as Member
    const removal = other.wish({ type: 'remove', peer: voter.id })
    world.until(() => other.outcome(removal) === 'done', 5000, 'removed')
    assert.equal(world.voters.length, 1)
    const token = other.wish({ type: 'add', peer: voter.id })
    world.until(() => other.outcome(token) === 'done', 5000, 'added')
    world.until(() => voter.view.self === 'serving', 5000, 'votes again')
    assert.equal(voter.view.void, undefined)
    voter.crash()
    voter.start()
    world.until(() => voter.view.self === 'serving', 5000, 'and after a restart')
  })

  it('that is empty under an identity that is not new is a lost one', () => {
    const world = new World()
    grown(world, 3, 3)
    const voter = world.peer(world.voters[1] as never)
    voter.crash()
    voter.disk = new Map()
    voter.start()
    world.run(5000)
    assert.equal(voter.view.void, 'lost')
    assert.ok(world.isServing)
    const other = world.peer(world.voters[0] as never)
    const removal = other.wish({ type: 'remove', peer: voter.id })
    world.until(() => other.outcome(removal) === 'done', 5000, 'removed')
    world.until(() => voter.view.void === undefined && world.voters.length === 3, 700_000, 'votes again')
    world.until(() => voter.view.self === 'serving', 5000, 'serves')
  })

  it('that was lost may be restarted between READY and the decision', () => {
    const world = new World()
    grown(world, 3, 3)
    const voter = world.peer(world.voters[1] as never)
    const other = world.peer(world.voters[0] as never)
    voter.crash()
    voter.disk = new Map()
    voter.start()
    world.run(3000)
    const removal = other.wish({ type: 'remove', peer: voter.id })
    world.until(() => other.outcome(removal) === 'done', 5000, 'removed')
    let answered = 0
    world.passes = (from, _to, { type }) => {
      if (type === 'ready' && from === voter) answered += 1
      return type !== 'ready'
    }
    const first = other.wish({ type: 'add', peer: voter.id })
    world.until(() => other.outcome(first) !== undefined && answered > 0, 6000, 'refused')
    voter.crash()
    voter.start()
    world.run(3000)
    world.passes = () => true
    const token = other.wish({ type: 'add', peer: voter.id })
    world.until(() => other.outcome(token) === 'done', 5000, 'added')
    world.until(() => voter.view.self === 'serving', 5000, 'votes again')
  })

  it('that may not be voted from is told of: its voter does not answer', () => {
    const world = new World()
    const peers = grown(world, 4, 3)
    const member = peers.find(({ id }) => !world.voters.includes(id)) as Member
    for (const id of world.voters.slice(1)) {
      const voter = world.peer(id)
      voter.crash()
      voter.disk = new Map()
      voter.start()
    }
    world.until(() => !member.view.reachable, 15_000, 'no quorum is reachable')
    assert.deepEqual(
      member.view.voters.map(({ answering }) => answering),
      [true, false, false],
    )
  })

  it('of a founder that is lost never founds again', () => {
    const world = new World()
    const founder = world.add('founder')
    const joiner = world.add('joiner')
    world.run(2000)
    const { id } = founder.view
    founder.crash()
    founder.disk = new Map()
    founder.start()
    world.run(5000)
    assert.equal(founder.view.self, 'void')
    assert.equal(founder.view.id, id)
    assert.equal(joiner.view.id, id)
  })

  it('of a sole voter that went back is recovered by hand', () => {
    const world = new World()
    const founder = world.add('founder')
    world.add('joiner')
    world.run(2000)
    const backup = founder.disk
    founder.arbiter?.grant()
    world.run(5000)
    founder.crash()
    founder.disk = backup
    founder.start()
    world.until(() => founder.view.void === 'rolled-back', 5000, 'noticed')
    const token = founder.recover()
    world.until(() => founder.outcome(token) !== undefined, 5000, 'an answer')
    assert.equal(founder.outcome(token), 'done')
    world.until(() => founder.view.self === 'serving', 5000, 'serves')
    assert.ok((founder.arbiter?.floor ?? 0) >= 2 ** 32)
    founder.crash()
    founder.start()
    world.until(() => founder.view.self === 'serving', 5000, 'and after a restart')
  })

  it('of a sole voter that nobody speaks against is taken after a while', () => {
    const world = new World()
    const founder = world.add('founder')
    const joiner = world.add('joiner')
    world.run(2000)
    joiner.crash()
    world.run(5000)
    founder.crash()
    founder.start()
    world.run(world.config.askMembersMs - 100)
    assert.equal(founder.view.self, 'starting')
    world.until(() => founder.view.self === 'serving', 200, 'serves')
  })

  it('of one voter of three is not trusted while nobody answers', () => {
    const world = new World()
    const peers = grown(world, 3, 3)
    for (const peer of peers) peer.crash()
    const [first, second] = peers as [Member, Member, Member]
    first.start()
    world.run(30_000)
    assert.equal(first.view.self, 'starting')
    second.start()
    world.until(() => world.isServing, 5000, 'two serve')
  })

  it('that went back behind a seal is noticed by those who installed what followed', () => {
    const world = new World()
    const founder = world.add('founder')
    world.add('joiner')
    world.add('joiner')
    world.run(500)
    const backup = founder.disk
    world.until(() => world.voters.length === 3 && world.isServing, 5000, 'three voters')
    founder.crash()
    founder.disk = backup
    founder.start()
    world.run(5000)
    assert.equal(founder.view.void, 'rolled-back')
    assert.ok(world.isServing)
  })
})

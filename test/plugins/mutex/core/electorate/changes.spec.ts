import assert from 'node:assert/strict'
import { standardElectorateUnits } from '../../../../../plugins/mutex/core/electorate/units.ts'
import { grown } from './grown.ts'
import type { Member } from './world.ts'
import { World } from './world.ts'

function votersAre(world: World, members: readonly Member[]): boolean {
  const ids = members.map(({ id }) => id).sort()
  return [...world.voters].sort().join() === ids.join() && world.isServing
}

describe('a change of the electorate', () => {
  it('replaces a voter that is dead for long enough by one that waits', () => {
    const world = new World()
    const peers = grown(world, 4, 3)
    const voters = peers.filter(({ id }) => world.voters.includes(id))
    const spare = peers.find(({ id }) => !world.voters.includes(id)) as Member
    const dead = voters[1] as Member
    dead.crash()
    const { now } = world
    const next = [...voters.filter((peer) => peer !== dead), spare]
    world.until(() => votersAre(world, next), 15_000, 'replaced')
    assert.ok(world.now - now >= world.config.replaceAfterMs)
  })

  it('does not replace a voter that is back in time', () => {
    const world = new World()
    const peers = grown(world, 4, 3)
    const { version } = peers[0] as Member
    const voter = world.peer(world.voters[1] as never)
    voter.crash()
    world.run(3000)
    voter.start()
    world.run(10_000)
    assert.equal(peers[0]?.version, version)
    assert.ok(world.isServing)
  })

  it('passes over a peer that was replaced, unless no other is live', () => {
    const world = new World()
    const peers = grown(world, 5, 5)
    const spare = world.add('joiner')
    world.run(2000)
    const dead = world.peer(world.voters[2] as never)
    dead.crash()
    world.until(() => world.voters.includes(spare.id) && world.isServing, 15_000, 'replaced')
    dead.start()
    world.run(10_000)
    assert.ok(!world.voters.includes(dead.id))
    const second = world.add('joiner')
    // Two wait now, of which one came and went.
    world.run(10_000)
    assert.equal(world.voters.length, 5)
    const other = peers.find((peer) => peer !== dead && world.voters.includes(peer.id)) as Member
    second.crash()
    world.run(world.config.replaceAfterMs)
    other.crash()
    world.until(() => world.voters.includes(dead.id) && world.isServing, 20_000, 'nobody else is there')
  })

  it('leaves a founder serving when two joiners die after they were named, before it has sealed', () => {
    let isOpen = false
    const { maySeal } = standardElectorateUnits
    const world = new World({ units: { maySeal: (...args) => isOpen && maySeal(...args) } })
    const founder = world.add('founder')
    const joiners = [world.add('joiner'), world.add('joiner')]
    world.until(() => founder.view.change?.phase === 'sealing', 5000, 'decided')
    for (const joiner of joiners) joiner.crash()
    world.run(1000)
    isOpen = true
    world.run(30_000)
    assert.equal(founder.view.version, 1)
    assert.equal(founder.view.self, 'serving')
    assert.equal(founder.view.change?.phase, 'sealing')
    founder.crash()
    founder.start()
    world.until(() => founder.view.self === 'serving', 5000, 'serving after a restart')
    assert.equal(founder.view.version, 1)
    joiners[0]?.start()
    world.until(() => founder.view.version === 2 && world.isServing, 5000, 'one is back')
  })

  it('goes on with others when one does not say that it would vote, and asks that one seldom', () => {
    const world = new World()
    const founder = world.add('founder')
    const silent = world.add('joiner')
    world.passes = (from, _to, { type }) => from !== silent || type !== 'ready'
    world.run(500)
    world.add('joiner')
    world.run(20_000)
    assert.equal(world.voters.length, 1)
    world.sent.clear()
    world.run(60_000)
    assert.ok((world.sent.get('ready?') ?? 0) < 40, `${world.sent.get('ready?')} questions`)
    world.add('joiner')
    world.until(() => world.voters.length === 3 && world.isServing, 5000, 'three others')
    assert.ok(!world.voters.includes(silent.id))
    assert.equal(founder.view.self, 'serving')
  })

  it('takes over what a quorum reports, and one that comes late takes a copy', () => {
    const world = new World()
    const peers = grown(world, 3, 3)
    const late = world.peer(world.voters[2] as never)
    const more = [world.add('joiner'), world.add('joiner')]
    world.until(() => world.voters.length === 5 && world.isServing, 5000, 'five voters')
    late.crash()
    for (const peer of peers) peer.arbiter?.grant()
    late.start()
    world.until(() => late.view.self === 'serving', 5000, 'serving')
    assert.ok(more.every(({ view }) => view.self === 'serving'))
  })
})

describe('a wish by hand', () => {
  it('removes a voter, which is then not chosen again soon', () => {
    const world = new World()
    const peers = grown(world, 4, 3)
    const gone = world.peer(world.voters[2] as never)
    const spare = peers.find(({ id }) => !world.voters.includes(id)) as Member
    const token = spare.wish({ type: 'remove', peer: gone.id })
    world.until(() => spare.outcome(token) !== undefined, 5000, 'answered')
    assert.equal(spare.outcome(token), 'done')
    assert.ok(!world.voters.includes(gone.id))
    assert.equal(world.voters.length, 3)
    world.run(10_000)
    assert.ok(!world.voters.includes(gone.id))
  })

  it('adds voters two at a time, and says why it cannot', () => {
    const world = new World({ config: { readyForMs: 60_000 } })
    world.add('founder')
    const joiner = world.add('joiner')
    world.run(1000)
    const token = joiner.wish({ type: 'add', peer: joiner.id })
    world.until(() => joiner.outcome(token) !== undefined, 5000, 'answered')
    assert.match(joiner.outcome(token) ?? '', /refused .*two at a time/)
  })

  it('is over everywhere once it is so: what is wished next holds', () => {
    const world = new World()
    const peers = grown(world, 3, 3)
    const gone = world.peer(world.voters[2] as never)
    for (const peer of peers) if (peer !== gone) peer.wish({ type: 'remove', peer: gone.id })
    world.until(() => world.voters.length === 1 && world.isServing, 5000, 'removed')
    const token = gone.wish({ type: 'add', peer: gone.id })
    world.until(() => gone.outcome(token) === 'done', 5000, 'added')
    const { version } = gone
    world.run(20_000)
    assert.equal(gone.version, version)
    assert.ok(world.voters.includes(gone.id) && world.isServing)
  })

  it('that was refused is not fulfilled later', () => {
    const world = new World({ config: { readyForMs: 8000 } })
    const founder = world.add('founder')
    const joiners = [world.add('joiner'), world.add('joiner')]
    world.run(1000)
    const token = founder.wish({ type: 'add', peer: joiners[0]?.id as never })
    world.until(() => founder.outcome(token) !== undefined, 5000, 'answered')
    assert.match(founder.outcome(token) ?? '', /refused it has to be connected for 8000 ms before/)
  })

  it('is refused for want of a quorum within five seconds', () => {
    const world = new World()
    const peers = grown(world, 3, 3)
    const [first, second, third] = peers as [Member, Member, Member]
    second.crash()
    third.crash()
    world.run(3000)
    const token = first.wish({ type: 'remove', peer: third.id })
    world.until(() => first.outcome(token) !== undefined, 5000, 'answered')
    assert.equal(first.outcome(token), 'refused no-quorum')
  })
})

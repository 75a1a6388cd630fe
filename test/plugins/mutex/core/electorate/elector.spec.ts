import assert from 'node:assert/strict'
import { World } from './world.ts'

describe('an electorate', () => {
  it('of a founder alone serves at once', () => {
    const world = new World()
    const founder = world.add('founder')
    world.run(10)
    assert.equal(founder.view.self, 'serving')
    assert.equal(founder.view.version, 1)
    assert.ok(world.isServing)
  })

  it('is known to a joiner as soon as it is connected', () => {
    const world = new World()
    const founder = world.add('founder')
    const joiner = world.add('joiner')
    world.run(100)
    assert.equal(joiner.view.id, founder.view.id)
    assert.equal(joiner.view.self, 'member')
  })

  it('grows to three when two joiners have been connected for long enough', () => {
    const world = new World()
    world.add('founder')
    world.add('joiner')
    world.run(5000)
    assert.equal(world.voters.length, 1)
    world.add('joiner')
    const { now } = world
    world.until(() => world.voters.length === 3 && world.isServing, 5000, 'three voters')
    assert.ok(world.now - now < world.config.readyForMs + 500, `took ${world.now - now} ms`)
  })

  it('grows to seven and no further', () => {
    const world = new World()
    world.add('founder')
    for (let i = 0; i < 8; i++) world.add('joiner')
    world.until(() => world.voters.length === 7 && world.isServing, 20_000, 'seven voters')
    world.run(10_000)
    assert.equal(world.voters.length, 7)
    assert.ok(world.running.every(({ version }) => version === 4))
    assert.deepEqual(world.blamed, [])
  })

  it('serves again after all of it was restarted', () => {
    const world = new World()
    world.add('founder')
    for (let i = 0; i < 2; i++) world.add('joiner')
    world.until(() => world.voters.length === 3 && world.isServing, 5000, 'three voters')
    for (const peer of world.peers) peer.crash()
    world.run(5000)
    for (const peer of world.peers) peer.start()
    world.until(() => world.voters.length === 3 && world.isServing, 2000, 'serving again')
    assert.ok(world.running.every(({ view }) => view.void === undefined))
  })

  it('says next to nothing while nothing changes', () => {
    const world = new World()
    world.add('founder')
    for (let i = 0; i < 4; i++) world.add('joiner')
    world.until(() => world.voters.length === 5 && world.isServing, 10_000, 'five voters')
    // Until each has heard of each that it serves.
    world.run(60_000)
    world.sent.clear()
    world.run(20_000)
    // Five of them, each every 16 s.
    assert.deepEqual([...world.sent.keys()], ['head'])
    assert.ok((world.sent.get('head') ?? 0) <= 10, `${world.sent.get('head')} heads`)
  })

  it('has a newcomer ask one of those who know, not all', () => {
    const world = new World()
    world.add('founder')
    for (let i = 0; i < 8; i++) world.add('joiner')
    world.run(5000)
    world.sent.clear()
    world.add('joiner')
    world.run(200)
    assert.ok((world.sent.get('want') ?? 0) <= 2, `${world.sent.get('want')} asked`)
  })

  it('hears nothing after it has stopped', () => {
    const world = new World()
    const founder = world.add('founder')
    const joiners = [world.add('joiner'), world.add('joiner')]
    world.run(500)
    founder.step(() => founder.elector?.stop())
    const { disk } = founder
    const token = founder.wish({ type: 'remove', peer: founder.id })
    assert.equal(founder.outcome(token), 'refused this peer has stopped')
    assert.match(founder.outcome(founder.recover()) ?? '', /stopped/)
    world.run(10_000)
    for (const joiner of joiners) joiner.crash()
    world.run(5000)
    assert.equal(founder.disk, disk)
    assert.equal(founder.version, 1)
  })
})

import assert from 'node:assert/strict'
import { World } from './world.ts'

describe('founding', () => {
  it('is done by the lowest of those who expect each other, once all are connected', () => {
    const world = new World()
    const peers = [world.add('expecting', 3), world.add('expecting', 3)]
    world.run(5000)
    assert.ok(peers.every(({ view }) => view.self === 'waiting'))
    peers.push(world.add('expecting', 3))
    world.until(() => peers.every(({ view }) => view.id !== undefined), 2000, 'founded')
    const founders = new Set(peers.map(({ view }) => view.founder))
    assert.deepEqual([...founders], [peers.map(({ id }) => id).sort()[0]])
    world.until(() => world.voters.length === 3 && world.isServing, 5000, 'three voters')
  })

  it('waits while two of them cannot reach each other', () => {
    const world = new World()
    const [a, b, c] = [world.add('expecting', 3), world.add('expecting', 3), world.add('expecting', 3)]
    world.partition([a], [b])
    world.run(10_000)
    assert.ok([a, b, c].every(({ view }) => view.id === undefined))
    world.heal()
    world.until(() => [a, b, c].every(({ view }) => view.id !== undefined), 5000, 'founded')
  })

  it('is never done by a joiner', () => {
    const world = new World()
    const joiner = world.add('joiner')
    world.run(60_000)
    assert.equal(joiner.view.self, 'none')
  })
})

describe('two electorates that meet', () => {
  it('become the one with the lower id when neither has granted', () => {
    const world = new World()
    const founders = [world.add('founder'), world.add('founder')]
    const ids = founders.map(({ view }) => view.id as string).sort()
    world.until(() => founders.every(({ view }) => view.id === ids[0]), 5000, 'one electorate')
    assert.ok(world.isServing)
    world.add('joiner')
    world.until(() => world.voters.length === 3 && world.isServing, 5000, 'all three vote')
  })

  it('become the one that has granted', () => {
    for (const which of [0, 1]) {
      const world = new World()
      const founders = [world.add('founder')]
      world.run(100)
      const other = world.add('founder')
      founders.push(other)
      world.partition([founders[0] as never], [other])
      world.run(100)
      founders[which]?.arbiter?.grant()
      const id = founders[which]?.view.id
      world.heal()
      world.until(() => founders.every(({ view }) => view.id === id), 5000, 'one electorate')
    }
  })

  it('stay apart, and say so, when both have granted', () => {
    const world = new World()
    const a = world.add('founder')
    const b = world.add('founder')
    world.partition([a], [b])
    world.run(100)
    a.arbiter?.grant()
    b.arbiter?.grant()
    world.heal()
    world.run(20_000)
    assert.notEqual(a.view.id, b.view.id)
    assert.deepEqual(a.view.conflict, { id: b.view.id, peer: b.id })
    assert.deepEqual(b.view.conflict, { id: a.view.id, peer: a.id })
    b.crash()
    world.run(3000)
    assert.equal(a.view.conflict, undefined)
  })

  it('takes its members along, also those that come late', () => {
    const world = new World({ config: { readyForMs: 600_000 } })
    const a = world.add('founder')
    const member = world.add('joiner')
    world.run(500)
    const b = world.add('founder')
    world.partition([a, member], [b])
    const [high, low] = (a.view.id ?? '') > (b.view.id ?? '') ? [a, b] : [b, a]
    world.run(300)
    member.crash()
    world.heal()
    world.until(() => high.view.id === low.view.id, 5000, 'given up')
    member.start()
    world.until(() => member.view.id === low.view.id, 5000, 'followed')
  })

  it('many fresh ones become one', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = new World({ seed, loss: 0.2, doubled: 0.1, mostDelayMs: 100 })
      for (let i = 0; i < 4; i++) world.add('founder')
      const isOne = (): boolean => new Set(world.running.map(({ view }) => view.id)).size === 1
      world.until(isOne, 30_000, `seed ${seed}`)
      world.until(() => world.voters.length === 3 && world.isServing, 30_000, `seed ${seed} grows`)
    }
  })
})

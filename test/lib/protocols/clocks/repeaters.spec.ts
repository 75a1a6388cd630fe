import assert from 'node:assert/strict'
import { Repeaters } from '../../../../lib/protocols/clocks/repeaters.ts'
import type { PeerId } from '../../../../lib/protocols/core.ts'

const id = (name: string | number) => `p${name}` as PeerId

describe('repeaters', () => {
  it('are ignored for a minute after the third strike in one', () => {
    const repeaters = new Repeaters()
    for (const now of [0, 100]) repeaters.struck(id(1), now)
    assert.equal(repeaters.isIgnored(id(1), 100), false)
    repeaters.struck(id(1), 59_999)
    assert.equal(repeaters.isIgnored(id(1), 59_999), true)
    assert.equal(repeaters.isIgnored(id(2), 59_999), false)
    assert.equal(repeaters.isIgnored(id(1), 119_998), true)
    assert.equal(repeaters.isIgnored(id(1), 119_999), false)
    repeaters.struck(id(1), 120_000)
    assert.equal(repeaters.isIgnored(id(1), 120_000), false, 'and begin anew')
  })

  it('start over when they are forgotten', () => {
    const repeaters = new Repeaters()
    for (let i = 0; i < 3; i++) repeaters.struck(id(1), 0)
    repeaters.forget(id(1))
    assert.equal(repeaters.isIgnored(id(1), 0), false)
    for (let i = 0; i < 2; i++) repeaters.struck(id(1), 0)
    repeaters.forget(id(1))
    repeaters.struck(id(1), 0)
    assert.equal(repeaters.isIgnored(id(1), 0), false)
  })

  it('are bounded in number: the one that struck first gives way', () => {
    const repeaters = new Repeaters()
    for (let i = 0; i < 2; i++) repeaters.struck(id('first'), 0)
    for (let i = 0; i < Repeaters.maxPeers; i++) repeaters.struck(id(i), 0)
    repeaters.struck(id('first'), 0)
    assert.equal(repeaters.isIgnored(id('first'), 0), false)
    for (let i = 0; i < 2; i++) repeaters.struck(id(5), 0)
    assert.equal(repeaters.isIgnored(id(5), 0), true)
  })
})

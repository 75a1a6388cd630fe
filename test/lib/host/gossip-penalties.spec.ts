import assert from 'node:assert/strict'
import { GossipPenalties } from '../../../lib/host/gossip-penalties.ts'
import type { PeerId } from '../../../lib/protocols/core.ts'

const graylisted = -80

describe('what refused gossip costs', () => {
  it('is nothing without a misdeed, a place in the mesh for one, and to be heard for three', () => {
    const penalties = new GossipPenalties()
    const peer = 'p' as PeerId
    assert.equal(penalties.score(peer, 0), 0)
    penalties.add(peer, 0)
    assert.ok(penalties.score(peer, 1) < 0 && penalties.score(peer, 1) > graylisted)
    penalties.add(peer, 1)
    assert.ok(penalties.score(peer, 2) > graylisted)
    penalties.add(peer, 2)
    assert.ok(penalties.score(peer, 3) < graylisted)
    assert.equal(penalties.score('q' as PeerId, 3), 0)
  })

  it('is forgotten after a minute without another', () => {
    const penalties = new GossipPenalties()
    const peer = 'p' as PeerId
    for (let i = 0; i < 100; i += 1) penalties.add(peer, i)
    assert.ok(penalties.score(peer, 59_000) < graylisted)
    assert.equal(penalties.score(peer, 60_100), 0)
    penalties.add(peer, 60_200)
    assert.equal(penalties.score(peer, 60_200), -10)
  })

  it('is remembered of the latest 1024 offenders', () => {
    const penalties = new GossipPenalties()
    for (let i = 0; i < 1100; i += 1) penalties.add(`p${i}` as PeerId, 0)
    assert.equal(penalties.score('p0' as PeerId, 0), 0)
    assert.equal(penalties.score('p1099' as PeerId, 0), -10)
  })
})

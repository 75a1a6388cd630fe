import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { companionsEach, companionsOf } from '../../../../lib/protocols/multicast/companions.ts'

const peers = (n: number): PeerId[] => Array.from({ length: n }, (_, i) => `peer ${i}` as PeerId)

describe('the companions in a group', () => {
  it('connect all of its members, however many there are, with few dials each', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.string(), (n, group) => {
        const members = peers(n)
        const edges = new Map(members.map((peer) => [peer, new Set<PeerId>()]))
        for (const peer of members) {
          const companions = companionsOf(peer, group, members)
          assert.equal(companions.length, Math.min(companionsEach, n - 1))
          assert.ok(!companions.includes(peer))
          for (const other of companions) {
            edges.get(peer)?.add(other)
            edges.get(other)?.add(peer)
          }
        }
        const reached = new Set<PeerId>()
        const visit = (peer: PeerId): void => {
          if (reached.has(peer)) return
          reached.add(peer)
          for (const next of edges.get(peer) ?? []) visit(next)
        }
        visit(members[0] as PeerId)
        assert.equal(reached.size, n)
      }),
    )
  })

  it('stay the same for all but those next to who comes or goes', () => {
    const members = peers(40)
    const [gone, ...others] = members
    const changed = others.filter(
      (peer) => companionsOf(peer, 'g', members).join() !== companionsOf(peer, 'g', others).join(),
    )
    assert.ok(gone !== undefined && changed.length === companionsEach)
  })

  it('are others in another group', () => {
    const members = peers(40)
    const differ = members.filter(
      (peer) => companionsOf(peer, 'a', members).join() !== companionsOf(peer, 'b', members).join(),
    )
    assert.ok(differ.length > 30)
  })
})

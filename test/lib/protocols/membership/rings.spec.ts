import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { profiles } from '../../../../lib/protocols/membership/config.ts'
import { IndexedSet } from '../../../../lib/protocols/membership/indexed-set.ts'
import { Neighbours } from '../../../../lib/protocols/membership/neighbours.ts'
import { Rings, RingsBase } from '../../../../lib/protocols/membership/rings.ts'
import { id } from './lab.ts'

const names = (count: number): PeerId[] => Array.from({ length: count }, (_, i) => id(`peer${i}`))

/** Each member's rings, all of them knowing all. */
function ringsOf(peers: readonly PeerId[]): Map<PeerId, Rings> {
  return new Map(
    peers.map((self) => {
      const rings = new Rings(self, 8)
      for (const peer of peers) if (peer !== self) rings.add(peer)
      return [self, rings]
    }),
  )
}

describe('the rings', () => {
  it('give each member as many observers as subjects, but for rings on which two meet again', () => {
    const peers = names(200)
    const rings = ringsOf(peers)
    let edges = 0
    for (const [peer, own] of rings) {
      const subjects = own.successors()
      assert.ok(subjects.size >= 5 && subjects.size <= 8 && !subjects.has(peer))
      for (const subject of subjects) assert.ok(rings.get(subject)?.predecessors().has(peer))
      edges += subjects.size
    }
    assert.ok(edges > 7.5 * peers.length)
  })

  it('reach everybody in few hops', () => {
    const rings = ringsOf(names(300))
    let reached = new Set([id('peer0')])
    let hops = 0
    for (; reached.size < 300; hops++) {
      reached = new Set([...reached].flatMap((peer) => [peer, ...(rings.get(peer)?.successors() ?? [])]))
    }
    assert.ok(hops <= 5, `${hops} hops`)
  })

  it('change only next to who comes or goes', () => {
    const peers = names(300)
    const rings = ringsOf(peers)
    const before = new Map([...rings].map(([peer, own]) => [peer, own.successors()]))
    const observers = rings.get(id('peer7'))?.predecessors()
    for (const [peer, own] of rings) if (peer !== 'peer7') own.delete(id('peer7'))
    const changed = [...rings].filter(
      ([peer, own]) => peer !== 'peer7' && !sameSets(own.successors(), before.get(peer)),
    )
    assert.deepEqual(new Set(changed.map(([peer]) => peer)), observers)
    for (const [peer, own] of rings) if (peer !== 'peer7') own.add(id('peer7'))
    for (const [peer, own] of rings) assert.ok(sameSets(own.successors(), before.get(peer)))
  })

  it('are the same with a shared base and without, whoever comes and goes', () => {
    const peers = names(40)
    const moves = fc.array(fc.tuple(fc.nat(39), fc.boolean()), { maxLength: 60 })
    fc.assert(
      fc.property(moves, fc.nat(39), (changes, self) => {
        const own = peers[self] as PeerId
        const based = new Rings(own, 8, new RingsBase(peers.slice(0, 25), 8))
        const plain = new Rings(own, 8)
        for (const peer of peers.slice(0, 25)) if (peer !== own) plain.add(peer)
        for (const [i, comes] of changes) {
          const peer = peers[i] as PeerId
          if (peer === own) continue
          for (const rings of [based, plain]) comes ? rings.add(peer) : rings.delete(peer)
        }
        assert.deepEqual(based.successors(), plain.successors())
        assert.deepEqual(based.predecessors(), plain.predecessors())
        assert.deepEqual(new Set(based.everybody()), new Set(plain.everybody()))
      }),
    )
  })

  it('draw each of the others', () => {
    const rings = new Rings(id('peer0'), 8, new RingsBase(names(5), 8))
    rings.add(id('another'))
    rings.delete(id('peer3'))
    let state = 0
    const random = () => {
      state = (state + 0.137) % 1
      return state
    }
    const drawn = new Set(Array.from({ length: 200 }, () => rings.draw(random)))
    drawn.delete(undefined)
    assert.deepEqual([...drawn].sort(), ['another', 'peer1', 'peer2', 'peer4'])
  })
})

describe('the neighbours', () => {
  it('are everybody up to the border, those on the rings above it, and stay what they are in between', () => {
    let n = 1
    const port = { turn: { now: 0 }, n: () => n, changed: () => undefined }
    const neighbours = new Neighbours(id('me'), profiles.lan, port)
    const move = (to: number) => {
      while (n < to) neighbours.appeared({ peer: id(`p${n++}`) })
      while (n > to) neighbours.vanished({ peer: id(`p${--n}`) })
      return neighbours.meshed
    }
    assert.deepEqual([10, 64, 70, 71, 65, 61, 59, 65, 71].map(move), [
      true,
      true,
      true,
      false,
      false,
      false,
      true,
      true,
      false,
    ])
    assert.equal(
      [...neighbours.subjects.keys()].every((peer) => neighbours.watches(peer)),
      true,
    )
    assert.ok(neighbours.subjects.size <= 8)
  })
})

describe('the set to draw from', () => {
  it('draws each with the given chance', () => {
    const set = new IndexedSet<number>()
    for (let i = 0; i < 2000; i++) set.add(i)
    for (let i = 0; i < 1000; i++) set.delete(i)
    let state = 1
    const random = () => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
      return state / 0x80000000
    }
    const counts = Array.from({ length: 50 }, () => set.drawn(0.1, random))
    const all = counts.flat()
    assert.ok(all.every((i) => i >= 1000 && i < 2000))
    assert.ok(Math.abs(all.length / 50 - 100) < 15, `${all.length / 50}`)
    assert.ok(new Set(all).size > 950)
    assert.equal(set.drawn(1, random).length, 1000)
  })
})

function sameSets(a: ReadonlySet<unknown>, b: ReadonlySet<unknown> | undefined): boolean {
  return b !== undefined && a.size === b.size && [...a].every((item) => b.has(item))
}

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ascii } from '../../../../lib/protocols/bytes.ts'
import { groupIdOf } from '../../../../lib/protocols/multicast/dots.ts'
import {
  durableKeys,
  encodeEntry,
  encodeGroupState,
  encodeProof,
  loadGroups,
} from '../../../../lib/protocols/multicast/durable-state.ts'
import { encodeEnvelope } from '../../../../lib/protocols/multicast/envelope.ts'
import type { Envelope, FrontierDot, SignedHeader } from '../../../../lib/protocols/multicast/messages.ts'
import { WireError } from '../../../../lib/wire/errors.ts'
import { bob, hashA, keyOf, sealed, sha256 } from './sealing.ts'

const chat = groupIdOf('chat', sha256)

function headerOf({ payloads: _, ...header }: Envelope): SignedHeader {
  return header
}

const frontier: FrontierDot[] = [
  {
    author: keyOf(bob),
    epoch: 5,
    seq: 2,
    below: [{ author: keyOf(bob), epoch: 4, seq: 0, hash: '' }],
    exact: true,
  },
]

function records() {
  const own = [1, 2, 10].map((seq) =>
    sealed({ group: chat, seq, lamport: seq, previous: seq === 1 ? undefined : hashA }),
  )
  const other = sealed({ group: chat, author: bob, epoch: 3 })
  const proof = {
    first: headerOf(other),
    second: headerOf(sealed({ group: chat, author: bob, epoch: 3 }, [ascii('else')])),
  }
  const durable = new Map<string, Uint8Array>([[durableKeys.clock, Uint8Array.of(1)]])
  // Not in order of seq: a host's disk sorts by text.
  for (const envelope of own.toReversed()) {
    const { epoch, seq } = envelope.header
    durable.set(durableKeys.own(chat, epoch, seq), encodeEnvelope(envelope))
  }
  const last = own.at(-1)
  assert.ok(last !== undefined)
  const entries = [headerOf(last), headerOf(other)].sort((a, b) => (a.authorKey < b.authorKey ? -1 : 1))
  for (const header of entries) durable.set(durableKeys.entry(chat, header.entry), encodeEntry(header))
  durable.set(durableKeys.proof(chat, other.authorKey), encodeProof(proof))
  durable.set(durableKeys.group('chat'), encodeGroupState({ name: 'chat', based: true, frontier }))
  return { durable, own, entries, proof }
}

function corrupt(durable: ReadonlyMap<string, Uint8Array>) {
  assert.throws(
    () => loadGroups(durable, sha256),
    (error) => {
      return error instanceof WireError && error.code === 'ERR_STORE_CORRUPT' && error.hint !== undefined
    },
  )
}

describe('what multicast keeps on disk', () => {
  it('comes back as it was, in order', () => {
    const { durable, own, entries, proof } = records()
    const group = { name: 'chat', id: chat, based: true, frontier, entries, own, proofs: [proof] }
    assert.deepEqual(loadGroups(durable, sha256), [group])
  })

  it('is nothing for a new peer', () => {
    assert.deepEqual(loadGroups(new Map(), sha256), [])
    assert.deepEqual(loadGroups(new Map([[durableKeys.clock, Uint8Array.of(1)]]), sha256), [])
  })

  it('keeps groups apart, also when a name looks like a key', () => {
    const { durable } = records()
    for (const name of ['a/b', 'entry/x', 'zoo']) {
      durable.set(durableKeys.group(name), encodeGroupState({ name, based: false, frontier: [] }))
    }
    const loaded = loadGroups(durable, sha256)
    assert.deepEqual(
      loaded.map((group) => [group.name, group.based, group.entries.length]),
      [
        ['a/b', false, 0],
        ['chat', true, 2],
        ['entry/x', false, 0],
        ['zoo', false, 0],
      ],
    )
  })

  it('leaves out what belongs to a group that was left', () => {
    const { durable } = records()
    durable.delete(durableKeys.group('chat'))
    assert.deepEqual(loadGroups(durable, sha256), [])
  })

  it('is refused as corrupt when a record is cut, and never taken for an empty one', () => {
    const { durable } = records()
    for (const [key, value] of durable) {
      if (key === durableKeys.clock) continue
      corrupt(new Map(durable).set(key, value.subarray(0, value.length - 1)))
    }
  })

  it('is refused as corrupt when a record lies under another key', () => {
    const { durable } = records()
    const at = (key: string) => durable.get(key) ?? assert.fail(key)
    corrupt(new Map(durable).set(durableKeys.group('other'), at(durableKeys.group('chat'))))
    corrupt(
      new Map(durable).set(durableKeys.own(chat, 9, 1), at(durableKeys.own(chat, 1_785_000_000_000, 1))),
    )
    corrupt(new Map(durable).set(durableKeys.proof(chat, keyOf(sealed().header.author)), proofOfBob(durable)))
    const [entry] = [...durable].filter(([key]) => key.startsWith('entry/'))
    assert.ok(entry !== undefined)
    corrupt(new Map(durable).set(`${entry[0]}0`, entry[1]))
  })

  it('is read or refused with ERR_STORE_CORRUPT when a bit has flipped', () => {
    const { durable } = records()
    const keys = [...durable.keys()]
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.nat(), fc.integer({ min: 1, max: 255 }), (key, at, by) => {
        const value = new Uint8Array(durable.get(key) ?? assert.fail(key))
        value[at % value.length] = (value[at % value.length] ?? 0) ^ by
        try {
          loadGroups(new Map(durable).set(key, value), sha256)
        } catch (error) {
          assert.ok(error instanceof WireError && error.code === 'ERR_STORE_CORRUPT')
        }
      }),
    )
  })
})

function proofOfBob(durable: ReadonlyMap<string, Uint8Array>): Uint8Array {
  return durable.get(durableKeys.proof(chat, keyOf(bob))) ?? assert.fail('no proof')
}

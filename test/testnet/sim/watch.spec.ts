import assert from 'node:assert/strict'
import type { PeerId } from '../../../lib/protocols/core.ts'
import { durableKeys, encodeSelfState } from '../../../lib/protocols/membership/durable-state.ts'
import type { MemberRecord, MemberView, Packet } from '../../../lib/protocols/membership/messages.ts'
import { Watch } from '../../../testnet/sim/membership/watch.ts'

const peer = 'a' as PeerId
const members = 3

describe('the watch over one process', () => {
  const watching = (generation: number, incarnation: number) => {
    const disk = new Map<string, Uint8Array>([
      [durableKeys.self, encodeSelfState({ generation, incarnation, rolledBack: false })],
    ])
    const breaches: string[] = []
    let now = 0
    const watch = new Watch({
      peer,
      disk: { version: 0, read: (key) => disk.get(key) },
      atStart: new Map(),
      members,
      now: () => now,
      breach: (property) => breaches.push(property),
    })
    const pass = (ms: number): void => {
      now += ms
    }
    return { watch, breaches, pass }
  }
  const packet = (generation: number, incarnation?: number): Packet => {
    const body: MemberRecord = {
      cluster: 'c',
      peer,
      generation,
      incarnation: incarnation ?? 0,
      presence: 'alive',
      addresses: [],
      name: 'a',
      version: '1',
      groups: [],
      tags: {},
    }
    const record = { body, bytes: new Uint8Array(), signature: new Uint8Array() }
    const updates = incarnation === undefined ? [] : [{ record, accusations: [], contact: true }]
    return { generation, updates, body: { type: 'gossip' } }
  }
  const row = (status: MemberView['status']): MemberView => ({
    peer: 'b' as PeerId,
    self: false,
    name: 'b',
    version: '1',
    status,
    reason: undefined,
    generation: 1,
    incarnation: 0,
    addresses: [],
    groups: [],
    tags: {},
    rttMs: undefined,
    since: 0,
    accusers: [],
    connected: true,
  })

  it('has nothing against what is on disk', () => {
    const { watch, breaches } = watching(5, 2)
    watch.sending(packet(5, 2))
    assert.deepEqual(breaches, [])
  })

  it('objects to counters that are told before they are on disk', () => {
    const { watch, breaches } = watching(5, 2)
    watch.sending(packet(6))
    watch.sending(packet(6, 3))
    assert.deepEqual(breaches, ['generation-on-disk', 'generation-on-disk', 'incarnation-on-disk'])
  })

  it('objects to counters that fall', () => {
    const { watch, breaches } = watching(5, 2)
    watch.sending(packet(5, 2))
    watch.sending(packet(5, 1))
    watch.sending(packet(4))
    assert.deepEqual(breaches, ['own-incarnation', 'own-generation'])
  })

  it('objects to a table that its events did not tell', () => {
    const { watch, breaches } = watching(5, 2)
    watch.told(row('alive'))
    watch.compare([row('alive')])
    assert.deepEqual(breaches, [])
    watch.compare([row('dead')])
    watch.compare([])
    assert.deepEqual(breaches, ['events-tell-the-table', 'events-tell-the-table'])
  })

  it('objects to traffic and requests without bound, and not to the same over a longer time', () => {
    const { watch, breaches, pass } = watching(5, 2)
    for (let i = 0; i < 1000; i++) {
      watch.sending(packet(5))
      watch.requested()
      watch.answered()
      pass(20)
    }
    assert.deepEqual(breaches, [])
    for (let i = 0; i < 1000; i++) watch.sending(packet(5))
    assert.equal(breaches.length, 0, 'one burst is what had waited')
    for (let i = 0; i < 1000; i++) {
      watch.sending(packet(5))
      pass(3)
    }
    for (let i = 0; i < 100; i++) watch.requested()
    assert.deepEqual([...new Set<string>(breaches)], ['bounded-traffic', 'bounded-requests'])
  })
})

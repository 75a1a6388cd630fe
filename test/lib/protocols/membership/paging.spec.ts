import assert from 'node:assert/strict'
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { BaseView } from '../../../../lib/protocols/membership/base-view.ts'
import { packetCodec } from '../../../../lib/protocols/membership/codec.ts'
import { profiles } from '../../../../lib/protocols/membership/config.ts'
import { bucketOf } from '../../../../lib/protocols/membership/digest.ts'
import { Membership, type MembershipInit } from '../../../../lib/protocols/membership/membership.ts'
import type { Packet } from '../../../../lib/protocols/membership/messages.ts'
import type { MembershipEffect } from '../../../../lib/protocols/membership/turn.ts'
import { cluster, cryptoOf, id, Lab, ScriptedPeer } from './lab.ts'

const address = (peer: string) =>
  `/ip4/10.1.2.3/tcp/4001/p2p/12D3KooWExampleOfAnOrdinaryPeerIdOfThatLength${peer}`

function baseOf(count: number, first = 0): BaseView {
  const records = Array.from({ length: count }, (_, i) => {
    const peer = new ScriptedPeer(`member${first + i}`)
    return peer.record({ addresses: [address(peer.id)] })
  })
  return new BaseView(records, profiles.lan.rings)
}

/** A core whose packets the test carries. */
class Party {
  readonly id: PeerId
  readonly core: Membership
  readonly outbox: { to: PeerId; packet: Packet }[] = []
  now = 1000

  constructor(name: string, init: Partial<MembershipInit> = {}) {
    this.id = id(name)
    this.core = new Membership({
      self: this.id,
      cluster,
      name,
      version: '1',
      addresses: [address(name)],
      config: profiles.lan,
      crypto: cryptoOf(this.id),
      random: () => 0.5,
      durable: new Map(),
      ...init,
    })
    this.step({ type: 'start', contacts: [] })
  }

  get known(): number {
    return this.core.members().length
  }

  step(input: Parameters<Membership['step']>[0]): void {
    const effects: readonly MembershipEffect[] = this.core.step(input, {
      monotonic: this.now,
      wall: 1_000_000 + this.now,
    })
    for (const effect of effects) {
      if (effect.type === 'send') this.outbox.push({ to: effect.to, packet: effect.message })
    }
  }

  moveTo(now: number): void {
    this.now = now
    for (let { deadline } = this.core; deadline !== undefined && deadline <= now; { deadline } = this.core)
      this.step({ type: 'wake', lagMs: 0 })
  }
}

/** Two parties on one connection for `ms`; gives the most bytes that either sent within 50 ms. */
function talk(a: Party, b: Party, ms: number): number {
  let most = 0
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const)
    one.step({ type: 'connected', peer: other.id })
  for (let passed = 0; passed < ms; passed += 50) {
    const bytes = new Map([
      [a, 0],
      [b, 0],
    ])
    for (let busy = true; busy; ) {
      busy = false
      for (const [one, other] of [
        [a, b],
        [b, a],
      ] as const) {
        for (const { to, packet } of one.outbox.splice(0)) {
          if (to !== other.id) continue
          const frame = packetCodec.encode(packet)
          bytes.set(one, (bytes.get(one) ?? 0) + frame.length)
          other.step({ type: 'receive', from: one.id, message: packetCodec.decode(frame) })
          busy = true
        }
      }
    }
    most = Math.max(most, ...bytes.values())
    a.moveTo(a.now + 50)
    b.moveTo(b.now + 50)
  }
  return most
}

describe('views of many members', () => {
  it('come to a joiner page by page, each with room for the rest in a queue of 256 KiB', () => {
    const contact = new Party('member0', { base: baseOf(3000) })
    const joiner = new Party('joiner')
    const most = talk(contact, joiner, 3000)
    assert.equal(joiner.known, 3001)
    assert.equal(joiner.core.digest, contact.core.digest)
    assert.ok(most <= 200 * 1024, `${most} bytes within 50 ms`)
  })

  it('are equal in both directions afterwards, and only what differs travels', () => {
    const base = baseOf(1000)
    const [a, b] = [new Party('member0', { base }), new Party('member1', { base })]
    const news = new ScriptedPeer('newcomer')
    a.step({ type: 'connected', peer: news.id })
    a.step({ type: 'receive', from: news.id, message: news.ping() })
    // What a would tell of its own accord does not arrive.
    for (let passed = 0; passed < 5000; passed += 100) {
      a.moveTo(a.now + 100)
      b.moveTo(b.now + 100)
    }
    a.outbox.length = 0
    talk(a, b, 200)
    assert.notEqual(b.core.digest, a.core.digest)
    b.step({ type: 'sync', peer: a.id })
    const most = talk(a, b, 500)
    assert.equal(b.core.digest, a.core.digest)
    assert.ok(most < 16 * 1024, `${most} bytes`)
  })

  it('come by whoever is there, when a first contact has others to serve', () => {
    const contact = new Party('member0', { base: baseOf(1000) })
    for (let i = 0; i < 8; i++) {
      // They ask for a page, and never for the next one.
      const reader = new ScriptedPeer(`reader${i}`)
      contact.step({ type: 'connected', peer: reader.id })
      contact.step({ type: 'receive', from: reader.id, message: reader.ping() })
      const sums = { type: 'buckets', sums: Array.from({ length: 256 }, () => 1n) } as const
      contact.step({ type: 'receive', from: reader.id, message: reader.packet(sums) })
    }
    contact.outbox.length = 0
    const joiner = new Party('joiner')
    talk(contact, joiner, 20_000)
    assert.equal(joiner.core.digest, contact.core.digest)
  })

  it('go as a whole while they are small: one round trip', () => {
    const lab = new Lab()
    lab.start()
    const peers = Array.from({ length: 30 }, (_, i) => new ScriptedPeer(`p${i}`))
    for (const peer of peers) lab.connect(peer)
    lab.take()
    const late = new ScriptedPeer('late')
    lab.connect(late)
    const sync = { type: 'sync', reply: true, buckets: undefined, more: false } as const
    lab.receive(late, late.packet(sync))
    const told = lab.sent(late).flatMap(({ updates }) => updates.map((update) => update.record.body.peer))
    assert.ok(peers.every((peer) => told.includes(peer.id)))
  })

  it('returns rows once for each page that was asked for', () => {
    const base = baseOf(1000)
    const party = new Party('member0', { base })
    const liar = new ScriptedPeer('liar')
    party.step({ type: 'connected', peer: liar.id })
    party.step({ type: 'receive', from: liar.id, message: liar.ping() })
    party.moveTo(party.now + 2000)
    party.step({ type: 'sync', peer: liar.id })
    party.outbox.length = 0
    const buckets = new Set(Array.from({ length: 256 }, (_, i) => i))
    const page = { type: 'sync', reply: true, buckets, more: true } as const
    for (let i = 0; i < 50; i++) party.step({ type: 'receive', from: liar.id, message: liar.packet(page) })
    const returned = party.outbox.filter(({ to, packet }) => to === liar.id && packet.body.type === 'sync')
    assert.equal(returned.length, 1)
  })

  it('answers one peer with a page in 100 ms, however often it asks', () => {
    const contact = new Party('member0', { base: baseOf(1000) })
    const greedy = new ScriptedPeer('greedy')
    contact.step({ type: 'connected', peer: greedy.id })
    contact.step({ type: 'receive', from: greedy.id, message: greedy.ping() })
    contact.outbox.length = 0
    const sums = { type: 'buckets', sums: Array.from({ length: 256 }, () => 1n) } as const
    for (let i = 0; i < 20; i++)
      contact.step({ type: 'receive', from: greedy.id, message: greedy.packet(sums) })
    assert.equal(contact.outbox.filter(({ packet }) => packet.body.type === 'sync').length, 1)
  })

  it('are not told again and again to one that goes on asking for them', () => {
    const contact = new Party('member0', { base: baseOf(1000) })
    const greedy = new ScriptedPeer('greedy')
    contact.step({ type: 'connected', peer: greedy.id })
    const sums = { type: 'buckets', sums: Array.from({ length: 256 }, () => 1n) } as const
    for (let i = 0; i < 600; i++) {
      contact.moveTo(contact.now + 100)
      contact.step({ type: 'receive', from: greedy.id, message: greedy.ping() })
      contact.step({ type: 'receive', from: greedy.id, message: greedy.packet(sums) })
    }
    const pages = contact.outbox.filter(({ to, packet }) => to === greedy.id && packet.body.type === 'sync')
    assert.ok(pages.length <= 100, `${pages.length} pages in a minute`)
  })

  it('come to an honest reader although eight others never stop reading', () => {
    const contact = new Party('member0', { base: baseOf(1000) })
    const readers = Array.from({ length: 8 }, (_, i) => new ScriptedPeer(`reader${i}`))
    const sums = { type: 'buckets', sums: Array.from({ length: 256 }, () => 1n) } as const
    const honest = new ScriptedPeer('honest')
    for (const peer of [...readers, honest]) contact.step({ type: 'connected', peer: peer.id })
    let told = 0
    for (let i = 0; i < 200; i++) {
      contact.moveTo(contact.now + 50)
      for (const peer of [...readers, honest])
        if (i % 20 === 0) contact.step({ type: 'receive', from: peer.id, message: peer.ping() })
      for (const peer of readers) contact.step({ type: 'receive', from: peer.id, message: peer.packet(sums) })
      if (i % 60 === 59) contact.step({ type: 'receive', from: honest.id, message: honest.packet(sums) })
      told += contact.outbox.filter(
        ({ to, packet }) => to === honest.id && packet.body.type === 'sync',
      ).length
      contact.outbox.length = 0
    }
    assert.ok(told >= 2, `${told}`)
  })

  it('are asked of an honest member although eight others never come to an end', () => {
    for (const answers of [false, true]) {
      const party = new Party('member0', { base: baseOf(1000) })
      const liars = Array.from({ length: 8 }, (_, i) => new ScriptedPeer(`liar${i}`))
      const honest = new ScriptedPeer('honest')
      for (const peer of [...liars, honest]) party.step({ type: 'connected', peer: peer.id })
      let asked = 0
      for (let i = 0; i < 400; i++) {
        party.moveTo(party.now + 50)
        for (const liar of liars) {
          party.step({ type: 'receive', from: liar.id, message: liar.ping() })
          const page = { type: 'sync', reply: true, buckets: new Set([1]), more: true } as const
          if (answers) party.step({ type: 'receive', from: liar.id, message: liar.packet(page) })
        }
        // They have been there for a while when it comes.
        if (i >= 100 && i % 20 === 0) party.step({ type: 'receive', from: honest.id, message: honest.ping() })
        asked += party.outbox.filter(
          ({ to, packet }) => to === honest.id && packet.body.type === 'buckets',
        ).length
        party.outbox.length = 0
      }
      assert.ok(asked >= 1, `${asked}`)
    }
  })
})

describe('a shared base', () => {
  it('is what a view of the same members would be', () => {
    const base = baseOf(100)
    const based = new Party('member0', { base })
    const plain = new Party('other', { base: baseOf(0) })
    const reader = new Party('reader', { base })
    assert.equal(based.known, 100)
    assert.equal(plain.known, 1)
    assert.equal(reader.known, 101)
    for (const peer of base.records.keys()) assert.ok(base.peersIn(bucketOf(peer)).includes(peer))
  })
})

import assert from 'node:assert/strict'
import { create, toBinary } from '@bufbuild/protobuf'
import { cryptoOf, generateIdentity } from '../../lib/host/identity.ts'
import {
  createPeer,
  type Group,
  type GroupItem,
  type GroupMessage,
  type Peer,
  type PeerOptions,
} from '../../lib/index.ts'
import { ascii } from '../../lib/protocols/bytes.ts'
import type { PeerId } from '../../lib/protocols/core.ts'
import { multicastCodec } from '../../lib/protocols/multicast/codec.ts'
import { authorKeyOf, groupIdOf, toHex } from '../../lib/protocols/multicast/dots.ts'
import { encodeEnvelope, sealEnvelope } from '../../lib/protocols/multicast/envelope.ts'
import type { AuthorKey, Envelope, PacketBody, Refusal } from '../../lib/protocols/multicast/messages.ts'
import { EnvelopeSchema } from '../../lib/wire/gen/multicast_pb.ts'
import { eventually } from '../support/eventually.ts'
import { type HostileMember, startHostile } from './hostile-member.ts'
import { sha256 } from './protocols/multicast/sealing.ts'

const secret = '6c'.repeat(32)
const options: PeerOptions = { cluster: 'test', secret, listen: ['/ip4/127.0.0.1/tcp/0'], profile: 'local' }
const groupName = 'g'
const text = (message: GroupMessage): string => new TextDecoder().decode(message.data)

/** Honest peers in one group, and what each of them was brought. */
interface Honest {
  readonly peer: Peer
  readonly group: Group
  readonly items: GroupItem[]
}

describe('a group with a hostile member', () => {
  const honest: Honest[] = []
  const hostile: HostileMember[] = []
  const failures: unknown[] = []
  const reading = new AbortController()
  let talks = 0

  before(async () => {
    const first = await createPeer({ ...options, name: 'a' })
    const others = [1, 2].map((i) => createPeer({ ...options, name: `h${i}`, join: first.addresses }))
    for (const peer of [first, ...(await Promise.all(others))]) {
      const joined = await peer.group(groupName)
      const items: GroupItem[] = []
      honest.push({ peer, group: joined, items })
      peer.closed.catch((error) => failures.push(error))
      void (async () => {
        for await (const item of joined.items({ from: 'earliest', signal: reading.signal })) items.push(item)
      })().catch((error) => failures.push(error))
    }
  })

  afterEach(async () => {
    await talk()
    await Promise.all(hostile.splice(0).map((member) => member.stop()))
    assert.deepEqual(failures.splice(0), [])
  })

  after(async () => {
    reading.abort()
    await Promise.all(honest.map(({ peer }) => peer.stop()))
  })

  const peers = () => honest.map(({ peer }) => peer)
  const [a, b] = [() => honest[0] as Honest, () => honest[1] as Honest]

  async function enter(): Promise<HostileMember> {
    const member = await startHostile(a().peer, secret, groupName, peers())
    hostile.push(member)
    return member
  }

  const messages = ({ items }: Honest) => items.filter((item) => item.type === 'message')
  const from = (member: { readonly id: PeerId }, to: Honest) =>
    messages(to).filter(({ sender }) => sender === member.id)
  const refused = ({ peer }: Honest, reason: Refusal) => peer.counters().multicast.refused[reason]

  /** Everybody says something in answer to the one before, and everybody is told all of it, in order. */
  async function talk(): Promise<void> {
    talks += 1
    const said = honest.map((_, i) => `talk ${talks}.${i}`)
    for (const [i, { group: own }] of honest.entries()) {
      await own.publish(said[i] as string)
      const told = () => honest.every((each) => messages(each).some((message) => text(message) === said[i]))
      await eventually(said[i] as string, told, 5000)
    }
    for (const each of honest) {
      assert.deepEqual(
        messages(each)
          .map(text)
          .filter((word) => word.startsWith(`talk ${talks}.`)),
        said,
      )
    }
  }

  /** Runs it, and resolves when each honest peer has refused as many more as asked. */
  async function refusing(reason: Refusal, count: number, run: () => void, by = honest): Promise<void> {
    const before = by.map((each) => refused(each, reason))
    run()
    await eventually(`${count} × ${reason}`, () =>
      by.every((each, i) => refused(each, reason) >= (before[i] ?? 0) + count),
    )
    assert.deepEqual(
      by.map((each, i) => refused(each, reason) - (before[i] ?? 0)),
      by.map(() => count),
    )
  }

  const forged = (envelope: Envelope): Envelope => {
    const signature = Uint8Array.from(envelope.signature)
    signature[10] = (signature[10] ?? 0) ^ 1
    return { ...envelope, signature }
  }

  /** The same envelope in other bytes: fields in another order. */
  const reencoded = (envelope: Envelope): Uint8Array => {
    const { bytes: header, signature, payloads } = envelope
    return Buffer.concat([
      toBinary(EnvelopeSchema, create(EnvelopeSchema, { payloads: [...payloads] })),
      toBinary(EnvelopeSchema, create(EnvelopeSchema, { signature })),
      toBinary(EnvelopeSchema, create(EnvelopeSchema, { header })),
    ])
  }

  it('refuses a wrong signature, cluster and group by gossip, and hears its author no more', async () => {
    const member = await enter()
    const before = honest.map(({ peer }) => peer.counters().gossip.reject)
    const rejected = () => honest.map(({ peer }, i) => peer.counters().gossip.reject - (before[i] ?? 0))
    await refusing('bad-signature', 1, () => member.gossip(encodeEnvelope(forged(member.seal()))))
    await refusing('other-cluster', 1, () =>
      member.gossip(encodeEnvelope(member.seal({ cluster: '00'.repeat(16) }))),
    )
    await refusing('other-group', 1, () =>
      member.gossip(encodeEnvelope(member.seal({ group: '00'.repeat(16) }))),
    )
    assert.deepEqual(rejected(), [3, 3, 3])
    // gossipsub looks at a peer's score once a second.
    let lamport = 1
    await eventually('silence', async () => {
      lamport += 1
      const heard = rejected().join()
      member.gossip(encodeEnvelope(forged(member.seal({ lamport }))))
      await talk()
      return rejected().join() === heard
    })
  })

  it('refuses the same over the link, and cuts who goes on', async () => {
    const member = await enter()
    const to = b().peer.peerId
    const cut = b().peer.counters().linksCut
    const push = (envelope: Envelope) => member.send(to, { type: 'push', envelope })
    await refusing('bad-signature', 1, () => push(forged(member.seal())), [b()])
    await refusing('other-group', 1, () => push(member.seal({ cluster: '00'.repeat(16) })), [b()])
    await refusing('other-group', 1, () => push(member.seal({ group: '00'.repeat(16) })), [b()])
    await eventually('the cut', () => b().peer.counters().linksCut === cut + 1)
    await eventually('the end', () => member.raw.closings.some(({ peer }) => peer === to))
  })

  it('takes no true envelope under another topic, and takes it under its own after that', async () => {
    const member = await enter()
    const others = await Promise.all(honest.map(({ peer }) => peer.group('other')))
    const id = groupIdOf('other', sha256)
    await eventually('the topic', () =>
      peers().every(({ peerId }) => member.raw.shown.has(`${peerId} p2pd/${id}`)),
    )
    const envelope = member.seal()
    await refusing('other-group', 1, () => member.gossip(encodeEnvelope(envelope), id))
    member.gossip(encodeEnvelope(envelope))
    await eventually('the true one', () => honest.every((each) => from(member, each).length === 1))
    await Promise.all(others.map((other) => other.leave()))
  })

  it('delivers nothing twice that is replayed by other ways and in other bytes', async () => {
    const member = await enter()
    const envelope = member.seal()
    member.gossip(encodeEnvelope(envelope))
    await eventually('it', () => honest.every((each) => from(member, each).length === 1))
    await refusing('duplicate', 1, () => member.gossip(reencoded(envelope)))
    const supply = {
      type: 'supply',
      id: 2,
      envelopes: [envelope],
      headers: [envelope],
      floors: [],
      delivered: [],
    } as const
    for (const { peerId } of peers()) {
      for (let i = 0; i < 50; i += 1) {
        member.send(peerId, { type: 'push', envelope })
        member.send(peerId, supply)
      }
    }
    await talk()
    for (const each of honest) assert.equal(from(member, each).length, 1)
  })

  it('never delivers a wrong Lamport time, nor what follows it', async () => {
    const member = await enter()
    const wrong = member.seal({ lamport: 7 })
    const next = member.seal({ seq: 2, previous: wrong.hash, lamport: 8 })
    await refusing('lamport', 1, () => member.gossip(encodeEnvelope(wrong)))
    member.gossip(encodeEnvelope(next))
    await talk()
    for (const each of honest) assert.equal(from(member, each).length, 0)
  })

  it('refuses a million dependencies before it makes anything of them', async () => {
    const member = await enter()
    const { bytes } = member.seal()
    // As many as a message of gossip can hold, and a million in a frame of the link.
    const many = Buffer.concat([bytes, Buffer.from([0x62, 0x80, 0xb5, 0x75]), Buffer.alloc(24 * 80_000)])
    const lagBefore = performance.now()
    await refusing('malformed', 1, () => member.gossip(member.sealWire(many)))
    const oversized = b().peer.counters().dropped.oversized
    const [connection] = member.raw.connections.of(b().peer.peerId)
    const stream = await connection?.newStream('/p2pd/multicast/1')
    stream?.send(Buffer.from([0x80, 0xd8, 0xb8, 0x0b]))
    await eventually('the frame', () => b().peer.counters().dropped.oversized === oversized + 1)
    assert.ok(performance.now() - lagBefore < 2000)
  })

  it('refuses oversized payloads, other counts and unknown fields', async () => {
    const member = await enter()
    const second = await enter()
    const large = [new Uint8Array(2 ** 20 + 1)]
    await refusing('malformed', 1, () => member.gossip(member.sealWire({}, large)))
    const unknown = Buffer.concat([encodeEnvelope(member.seal()), Buffer.from([0x78, 1])])
    await refusing('malformed', 1, () => member.gossip(unknown))
    const inHeader = Buffer.concat([member.seal().bytes, Buffer.from([0x78, 1])])
    await refusing('malformed', 1, () => member.gossip(member.sealWire(inHeader)))
    const crowd = Array.from({ length: 65 }, () => ascii('x'))
    await refusing('malformed', 1, () => second.gossip(second.sealWire({}, crowd)))
    const swapped = { ...second.seal(), payloads: [ascii('hostilf')] }
    await refusing('payload-mismatch', 1, () => second.gossip(encodeEnvelope(swapped)))
    for (const each of honest) assert.equal(from(member, each).length + from(second, each).length, 0)
  })

  it('ignores authors that nobody knows, whichever way they come', async () => {
    const member = await enter()
    const stranger = await generateIdentity()
    const { header, payloads } = member.seal()
    const envelope = sealEnvelope({ ...header, author: stranger.peerId }, payloads, cryptoOf(stranger))
    await refusing('unknown-author', 1, () => member.gossip(encodeEnvelope(envelope)))
    await refusing('unknown-author', 1, () => {
      for (const { peerId } of peers()) member.send(peerId, { type: 'push', envelope })
    })
    const other = sealEnvelope(
      { ...header, author: stranger.peerId, lamport: 2 },
      payloads,
      cryptoOf(stranger),
    )
    for (const { peerId } of peers())
      member.send(peerId, { type: 'proofs', proofs: [{ first: envelope, second: other }] })
    await talk()
    for (const each of honest) {
      assert.equal(from({ id: stranger.peerId }, each).length, 0)
      assert.equal(
        each.peer.forks().some(({ sender }) => sender === stranger.peerId),
        false,
      )
    }
  })

  it('keeps and shows the proof of two contents for one dot, and waits for others to name its author', async () => {
    const member = await enter()
    const [one, two] = [member.seal({}, [ascii('one')]), member.seal({}, [ascii('two')])]
    member.send(a().peer.peerId, { type: 'push', envelope: one })
    member.send(b().peer.peerId, { type: 'push', envelope: two })
    await eventually('the proof', () =>
      peers().every((peer) => peer.forks().some(({ sender }) => sender === member.id)),
    )
    for (const { peer, items } of honest) {
      const fork = peer.forks().find(({ sender }) => sender === member.id)
      assert.deepEqual([...(fork?.hashes ?? [])].sort(), [one.hash, two.hash].sort())
      assert.equal(
        items.filter((item) => item.type === 'equivocation' && item.sender === member.id).length,
        1,
      )
    }
    const later = member.seal({ seq: 2, previous: one.hash, lamport: 2 })
    member.gossip(encodeEnvelope(later))
    await talk()
    for (const each of honest) assert.ok(from(member, each).every(({ seq }) => seq === 1))
  })

  it('is brought the true envelope when forged copies of it came first', async () => {
    const [author, forger] = [await enter(), await enter()]
    const envelope = author.seal()
    const copies = [forged(envelope), { ...envelope, payloads: [ascii('hostilf')] }]
    await refusing('bad-signature', 1, () => forger.gossip(encodeEnvelope(copies[0] as Envelope)))
    await refusing('payload-mismatch', 1, () => forger.gossip(encodeEnvelope(copies[1] as Envelope)))
    for (const { peerId } of peers()) forger.send(peerId, { type: 'push', envelope: copies[0] as Envelope })
    author.gossip(encodeEnvelope(envelope))
    await eventually('the true one', () => honest.every((each) => from(author, each).length === 1))
  })

  it('strikes malformed frames and cuts who sends them', async () => {
    const member = await enter()
    const to = b().peer.peerId
    const before = b().peer.counters()
    for (let i = 0; i < 5; i += 1) member.frame(to, Buffer.from([0xff, i]))
    await eventually('the cut', () => b().peer.counters().linksCut === before.linksCut + 1)
    assert.equal(b().peer.counters().dropped.malformed, before.dropped.malformed + 3)
  })

  it('goes on while it is flooded with questions that cost more than they take', async () => {
    const member = await enter()
    const to = a().peer.peerId
    for (const each of honest)
      for (let i = 0; i < 20; i += 1) await each.group.publish(new Uint8Array(50_000))
    await eventually('all of it', () =>
      honest.every((each) => messages(each).filter(({ data }) => data.length === 50_000).length === 60),
    )
    const entries = Object.keys(a().peer.clock(groupName).vector).map((entry) => {
      const [author = '', epoch] = entry.split('#')
      return { author: authorKeyOf(author as PeerId, sha256), epoch: Number(epoch) }
    })
    const ranges = entries.map((entry) => ({ ...entry, from: 1, to: 2 ** 30 }))
    const dots = entries.map((entry) => ({ ...entry, seq: 1 }))
    const nobody = (i: number) => toHex(sha256(ascii(`nobody ${i}`)).subarray(0, 12)) as AuthorKey
    const wants = Array.from({ length: 1024 }, (_, i) => ({ author: nobody(i), epoch: 1, seq: 5, hash: '' }))
    const questions: PacketBody[] = [
      { type: 'pull', id: 2, ranges },
      { type: 'summary', digest: '00'.repeat(16), forked: [], reply: false },
      { type: 'vector', entries: wants, reply: true },
      { type: 'inquiry', id: 3, dots },
      { type: 'baseline-request', id: 4, done: false },
      { type: 'supply', id: 6, envelopes: [], headers: [], floors: [], delivered: [] },
    ]
    const questionFrames = questions.map((body) =>
      multicastCodec({ sha256 }).encode({ group: groupIdOf(groupName, sha256), body }),
    )
    const before = process.memoryUsage()
    const frames = () => a().peer.counters().framesIn
    const came = frames()
    const flood = setInterval(() => {
      for (let i = 0; i < 500; i += 1)
        member.frame(to, questionFrames[i % questionFrames.length] as Uint8Array)
    }, 10)
    try {
      for (let i = 0; i < 3; i += 1) await talk()
    } finally {
      clearInterval(flood)
    }
    assert.ok(frames() - came > 100, `${frames() - came} frames are no flood`)
    const { heapUsed, external } = process.memoryUsage()
    const grown = heapUsed + external - before.heapUsed - before.external
    assert.ok(grown < 256 * 2 ** 20, `${grown} bytes more`)
  })
})

import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { cryptoOf, generateIdentity } from '../../lib/host/identity.ts'
import { createPeer, type Peer, type PeerOptions } from '../../lib/index.ts'
import { packetCodec } from '../../lib/protocols/membership/codec.ts'
import type {
  MemberRecord,
  Misbehaviour,
  Packet,
  Signed,
  Update,
} from '../../lib/protocols/membership/messages.ts'
import { signRecord } from '../../lib/protocols/membership/statements.ts'
import { eventually } from '../support/eventually.ts'
import { type RawMember, startRawMember } from './raw-member.ts'

const secret = '6d'.repeat(32)
const maxMembers = 60
const options: PeerOptions = {
  cluster: 'test',
  secret,
  listen: ['/ip4/127.0.0.1/tcp/0'],
  profile: 'local',
  membership: { maxMembers },
}
const name = 'membership'

describe('a cluster with hostile insiders', () => {
  const honest: Peer[] = []
  const insiders: RawMember[] = []
  const failures: unknown[] = []
  const misdeeds = new Set<Misbehaviour>()
  const falseDeaths: string[] = []

  // For each test: a table that strangers have filled takes nobody in for a day.
  beforeEach(async function () {
    this.timeout(20_000)
    const first = await createPeer({ ...options, name: 'a' })
    const others = [1, 2].map((i) => createPeer({ ...options, name: `h${i}`, join: first.addresses }))
    honest.push(first, ...(await Promise.all(others)))
    const ids = new Set(honest.map(({ peerId }) => peerId))
    for (const peer of honest) {
      peer.closed.catch((error) => failures.push(error))
      peer.addEventListener('misbehaved', ({ detail }) => void misdeeds.add(detail.reason))
      peer.addEventListener('member', ({ detail: { change, member } }) => {
        if (change === 'dead' && ids.has(member.peer)) falseDeaths.push(`${member.name} at ${peer.name}`)
      })
    }
    await eventually('the cluster', () => honest.every(isWell))
  })

  /** Every honest peer is alive in the view of `peer`. */
  const isWell = (peer: Peer): boolean =>
    honest.every(({ peerId }) =>
      peer.members().some((member) => member.peer === peerId && member.status === 'alive'),
    )

  afterEach(async () => {
    await Promise.all(insiders.splice(0).map((member) => member.stop()))
    await eventually('a healthy cluster', () => honest.every(isWell))
    assert.deepEqual([failures, falseDeaths], [[], []])
    misdeeds.clear()
    await Promise.all(honest.splice(0).map((peer) => peer.stop()))
  })

  async function insider(): Promise<RawMember> {
    const [first] = honest
    assert.ok(first !== undefined)
    const member = await startRawMember({ secret, clusterId: first.clusterId })
    insiders.push(member)
    member.join(first.addresses)
    await eventually(
      'the insider',
      () => member.core.members().filter(({ status }) => status === 'alive').length >= 4,
    )
    await eventually('its links', () =>
      honest.every(({ peerId }) => member.raw.connections.of(peerId).length > 0),
    )
    // Of who is unknown anything is taken that its owner could say at its start.
    await eventually('that all know it', () =>
      honest.every((peer) => peer.members().some((row) => row.peer === member.id)),
    )
    return member
  }

  const recordOf = (
    member: Pick<RawMember, 'id' | 'crypto'>,
    change: Partial<MemberRecord> = {},
  ): Signed<MemberRecord> =>
    signRecord(
      {
        cluster: honest[0]?.clusterId ?? '',
        peer: member.id,
        generation: 1_800_000_000_000,
        incarnation: 0,
        presence: 'alive',
        addresses: ['/ip4/127.0.0.1/tcp/1'],
        name: 'nobody',
        version: '0',
        groups: [],
        tags: {},
        ...change,
      },
      member.crypto,
    )

  const say = (
    from: RawMember,
    updates: readonly Update[],
    body: Packet['body'] = { type: 'gossip' },
  ): void => {
    const bytes = packetCodec.encode({ generation: from.core.generation, updates, body })
    for (const { peerId } of honest) from.raw.links.send(peerId, name, bytes)
  }

  const updateOf = (record: Signed<MemberRecord>): Update => ({ record, accusations: [], contact: true })

  it('takes no more members than it may, however many are claimed, and refuses a page that is too long', async function () {
    this.timeout(20_000)
    const liar = await insider()
    const claims: Update[] = []
    for (let i = 0; i < 300; i += 1) {
      const identity = await generateIdentity()
      claims.push(updateOf(recordOf({ id: identity.peerId, crypto: cryptoOf(identity) })))
    }
    for (let at = 0; at < claims.length; at += 50) say(liar, claims.slice(at, at + 50))
    await eventually('a full table', () => honest.every((peer) => peer.members().length > maxMembers / 2))
    assert.ok(honest.every((peer) => peer.members().length <= maxMembers + 1))
    await eventually('the count', () => honest.every((peer) => peer.counters().refusedStrangers > 100))
    // As many rows as its bytes can hold, each as small as can be, and far more than a packet may have.
    const before = honest.map((peer) => peer.counters().dropped.malformed)
    const tiny = packetCodec.encode({ generation: 1, updates: [], body: { type: 'gossip' } })
    const empty = Uint8Array.of(0x12, 0x00)
    const page = Buffer.concat([tiny, ...Array.from({ length: 30_000 }, () => empty)])
    for (const { peerId } of honest) liar.raw.links.send(peerId, name, page)
    await eventually('the count', () =>
      honest.every((peer, i) => peer.counters().dropped.malformed > (before[i] ?? 0)),
    )
  })

  it('cuts off who sends a frame of a gigabyte, and keeps none of it', async () => {
    const liar = await insider()
    const gigabyte = Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x04)
    const [target] = honest
    assert.ok(target !== undefined)
    const before = target.counters().dropped.oversized
    for (let strike = 1; strike <= 3; strike += 1) {
      const stream = await liar.raw.connections.of(target.peerId).at(-1)?.newStream(`/p2pd/${name}/1`)
      stream?.send(gigabyte)
      await eventually('the count', () => target.counters().dropped.oversized >= before + strike)
    }
    await eventually('the cut', () => target.counters().linksCut > 0)
  })

  it('notices a packet that comes again, and one of a future life or incarnation', async () => {
    const liar = await insider()
    const { generation } = liar.core
    const ping: Packet['body'] = {
      type: 'ping',
      seq: 2 ** 40,
      digest: 0n,
      loopLagMs: 0,
      belief: { generation: 0, incarnation: 0, standing: 'unknown', heardAgoMs: undefined },
      otherLife: undefined,
      riders: [],
    }
    say(liar, [], ping)
    await eventually('the replay', () => {
      say(liar, [], ping)
      return misdeeds.has('replayed') || misdeeds.has('flooding')
    })
    const next = await insider()
    const far = recordOf(next, { generation: next.core.generation, incarnation: 2 ** 40 })
    say(next, [updateOf(far)])
    await eventually('the refusal', () => misdeeds.has('incarnation-too-far'))
    const [target] = honest
    const before = target?.counters().dropped.malformed ?? 0
    const third = await insider()
    const future = recordOf(third, { generation: 2 ** 53 - 1 })
    say(third, [updateOf(future)])
    await eventually('the count', () => (target?.counters().dropped.malformed ?? 0) > before)
    assert.ok(generation > 0)
    assert.ok(
      honest.every((peer) =>
        peer.members().every((row) => row.generation < 2 ** 52 && row.incarnation < 2 ** 30),
      ),
    )
  })

  it('lets in who was turned away at the door, as soon as it comes again', async () => {
    const [first] = honest
    assert.ok(first !== undefined)
    const port = Number(/tcp\/(\d+)/.exec(first.addresses[0] ?? '')?.[1])
    let turnedAway = 0
    const door = createServer((socket) => {
      socket.on('error', () => {})
      if (turnedAway++ === 0) return void socket.resetAndDestroy()
      const inside = connect(port, '127.0.0.1').on('error', () => socket.destroy())
      socket.pipe(inside).pipe(socket)
    })
    await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve))
    const bound = door.address()
    const address = `/ip4/127.0.0.1/tcp/${typeof bound === 'object' ? bound?.port : 0}`
    const joiner = await createPeer({ ...options, name: 'late', join: [address] })
    assert.equal(joiner.members().length, 1)
    await eventually('to be in', () =>
      first.members().some(({ peer, status }) => peer === joiner.peerId && status === 'alive'),
    )
    assert.ok(turnedAway > 1)
    await joiner.leave()
    door.close()
  })

  it('stays well while a crowd of new identities joins and goes from one address', async function () {
    this.timeout(30_000)
    const [first] = honest
    assert.ok(first !== undefined)
    const heapBefore = heapBytes()
    let come = 0
    let seen = 0
    const joiner = async (): Promise<void> => {
      come += 1
      const member = await startRawMember({ secret, clusterId: first.clusterId })
      member.join(first.addresses)
      const isIn = (): boolean => first.members().some(({ peer }) => peer === member.id)
      await eventually('to be in, or the table full', () => isIn() || first.members().length >= maxMembers)
      if (isIn()) seen += 1
      await member.stop()
    }
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        while (come < crowd) await joiner()
      }),
    )
    await eventually('a healthy cluster', () => honest.every(isWell))
    assert.ok(seen > maxMembers / 2)
    assert.ok(honest.every((peer) => peer.members().length <= maxMembers + 1))
    await eventually('the crowd to be gone', () => honest.every((peer) => peer.counters().connections < 8))
    const grownMb = (heapBytes() - heapBefore) / 2 ** 20
    assert.ok(grownMb < 32, `${grownMb} MiB`)
  })
})

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

/** As many as a test has time for; with a thousand it takes a minute. */
const crowd = 48

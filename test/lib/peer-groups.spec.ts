import assert from 'node:assert/strict'
import type { Group, GroupMessage } from '../../lib/group.ts'
import { newCounters } from '../../lib/host/counters.ts'
import type { Gossip } from '../../lib/host/gossip.ts'
import { cryptoOf, generateIdentity } from '../../lib/host/identity.ts'
import type { Links } from '../../lib/host/links.ts'
import type { Entries, Journal } from '../../lib/host/store.ts'
import { PeerGroups } from '../../lib/peer-groups.ts'
import { PeerClock } from '../../lib/protocols/clocks/peer-clock.ts'
import type { PeerId } from '../../lib/protocols/core.ts'
import type { MembershipEvent, MemberView } from '../../lib/protocols/membership/messages.ts'
import { multicastCodec } from '../../lib/protocols/multicast/codec.ts'
import { multicastDefaults } from '../../lib/protocols/multicast/config.ts'
import { groupIdOf } from '../../lib/protocols/multicast/dots.ts'
import { encodeEnvelope, sealEnvelope } from '../../lib/protocols/multicast/envelope.ts'
import { eventually } from '../support/eventually.ts'
import { sha256 } from './protocols/multicast/sealing.ts'

/** A disk that takes its time: each write waits until it is let through. */
class SlowJournal implements Journal {
  readonly writes: { readonly entries: Entries; readonly done: () => void; readonly fail: () => void }[] = []
  open = true
  fail = false

  async load(): Promise<ReadonlyMap<string, Uint8Array>> {
    return new Map()
  }

  async write(entries: Entries): Promise<void> {
    if (this.fail) throw new Error('no space left on device')
    if (this.open) return
    await new Promise<void>((done, fail) => this.writes.push({ entries, done, fail }))
  }

  /** Everything that waits, and what comes later. */
  release(): void {
    this.open = true
    for (const { done } of this.writes.splice(0)) done()
  }
}

const id = groupIdOf('g', sha256)
const topic = `p2pd/${id}`
const codec = multicastCodec({ sha256 })
const header = {
  cluster: '00'.repeat(16),
  group: id,
  epoch: 1,
  hybrid: undefined,
  dependencies: [],
  old: undefined,
}

function memberOf(peer: PeerId): MembershipEvent {
  const member = { peer, self: false, status: 'alive', generation: 1, groups: ['g'] } as unknown as MemberView
  return { type: 'member', change: 'joined', member }
}

/** All that a group brings, as it comes. */
function follow(group: Group): GroupMessage[] {
  const messages: GroupMessage[] = []
  void (async () => {
    for await (const message of group.messages()) messages.push(message)
  })()
  return messages
}

describe('the groups of a peer', () => {
  const running: PeerGroups[] = []
  const failures: unknown[] = []

  afterEach(() => {
    for (const groups of running.splice(0)) groups.stop()
    assert.deepEqual(failures.splice(0), [])
  })

  async function start() {
    const identity = await generateIdentity()
    const journal = new SlowJournal()
    const generation = { now: 1 }
    const counters = newCounters()
    const paused = { now: false }
    const sent: PeerId[] = []
    const reached = new Set<PeerId>()
    const groups: PeerGroups = new PeerGroups({
      self: identity.peerId,
      cluster: '00'.repeat(16),
      crypto: cryptoOf(identity),
      clock: new PeerClock(undefined),
      config: multicastDefaults,
      durable: new Map(),
      journal,
      links: {
        send: (to: PeerId) => sent.push(to) > 0,
        reaches: (peer: PeerId) => reached.has(peer),
        queuedBytes: () => 0,
        strike: () => {},
      } as unknown as Links,
      gossip: {
        publish: () => true,
        pause: () => {
          paused.now = true
        },
        resume: () => {
          paused.now = false
        },
        subscribe() {},
        unsubscribe() {},
        subscribers: () => [],
      } as unknown as Gossip,
      counters,
      members: () => [],
      regrouped: () => {},
      syncMembers: () => {},
      renew: () => {
        generation.now += 1
        setImmediate(() => groups.membership(own(generation.now)))
      },
      alarm: () => {},
      trouble: () => {},
      failed: (error) => failures.push(error),
    })
    const own = (life: number) =>
      ({
        type: 'member',
        change: 'updated',
        member: {
          self: true,
          peer: identity.peerId,
          generation: life,
          status: 'alive',
          groups: [],
        } as unknown as MemberView,
      }) as never
    running.push(groups)
    groups.start()
    groups.membership(own(1))
    groups.membership({ type: 'joined', generation: 1 } as never)
    return { groups, journal, counters, paused, sent, reached }
  }

  it('forgets a group that was left while its messages waited for the disk', async () => {
    const { groups, journal } = await start()
    const before = await groups.group('g')
    journal.open = false
    const pending = before.publish('late')
    pending.catch(() => {})
    await before.leave()
    journal.release()
    await eventually('nothing waits', () => !groups.groups().some(({ name }) => name === 'g'))
    await pending.catch(() => {})
    const again = await groups.group('g', { signal: AbortSignal.timeout(2000) })
    assert.throws(() => groups.trace('gone'))
    await again.leave()
  })

  it('shows in a group that was joined again only what is in its new log', async () => {
    const { groups, journal } = await start()
    const before = await groups.group('g')
    for (let i = 0; i < 5; i += 1) await before.publish(`old${i}`)
    journal.open = false
    const pending = before.publish('late')
    pending.catch(() => {})
    await before.leave()
    const joining = groups.group('g')
    joining.catch(() => {})
    journal.release()
    const again = await joining
    const heard: string[] = []
    void (async () => {
      for await (const { data } of again.messages({ from: 'latest' }))
        heard.push(new TextDecoder().decode(data))
    })()
    for (let i = 0; i < 3; i += 1) await again.publish(`new${i}`)
    await eventually('three', () => heard.length === 3, 1000).catch(() => {})
    assert.deepEqual(heard, ['new0', 'new1', 'new2'])
  })

  it('takes no more than it can hold while the disk is full, and goes on when there is room again', async () => {
    const { groups, journal } = await start()
    const group = await groups.group('g')
    journal.fail = true
    const payload = new Uint8Array(2 ** 20)
    const answers: string[] = []
    for (let i = 0; i < 64; i += 1) {
      group.publish(payload).then(
        () => answers.push('published'),
        (error) => answers.push(error.code),
      )
    }
    await eventually('some refused', () => answers.length > 0)
    assert.deepEqual(new Set(answers), new Set(['ERR_WOULD_BLOCK']))
    // 16 MiB on their way, 16 MiB that wait.
    assert.equal(answers.length, 32)
    journal.fail = false
    await eventually('all answered', () => answers.length === 64)
    assert.equal(answers.filter((answer) => answer === 'published').length, 32)
  })

  it('takes what a peer sent before it went, and not the peer to be there again', async () => {
    const { groups, sent, reached } = await start()
    const author = await generateIdentity()
    const group = await groups.group('g')
    const heard = follow(group)
    groups.membership(memberOf(author.peerId))
    reached.add(author.peerId)
    groups.connected(author.peerId)
    await group.publish('while it is there')
    assert.ok(sent.splice(0).includes(author.peerId))
    reached.delete(author.peerId)
    groups.disconnected(author.peerId)
    const last = { ...header, author: author.peerId, seq: 1, lamport: 1, previous: undefined }
    const envelope = sealEnvelope(last, [new Uint8Array(1)], cryptoOf(author))
    groups.receive(author.peerId, codec.encode({ group: id, body: { type: 'push', envelope } }))
    await eventually('both', () => heard.length === 2)
    sent.length = 0
    await group.publish('when it has gone')
    assert.deepEqual(sent, [])
  })

  it('leaves to repair what comes while the disk is full', async () => {
    const { groups, journal, counters, paused } = await start()
    const author = await generateIdentity()
    groups.membership(memberOf(author.peerId))
    const group = await groups.group('g')
    const heard = follow(group)
    journal.fail = true
    const crypto = cryptoOf(author)
    let previous: string | undefined
    const sent = Array.from({ length: 44 }, (_, i) => {
      const envelope = sealEnvelope(
        { ...header, author: author.peerId, seq: i + 1, lamport: i + 1, previous },
        [new Uint8Array(2 ** 20)],
        crypto,
      )
      previous = envelope.hash
      return envelope
    })
    const gossiped = sent.slice(0, 40)
    for (const envelope of gossiped)
      assert.equal(groups.judge(topic, author.peerId, encodeEnvelope(envelope)), 'accept')
    assert.ok(groups.counts.delivered < 36, `${groups.counts.delivered} MiB wait for the disk`)
    const { delivered } = groups.counts
    for (const envelope of sent)
      groups.receive(author.peerId, codec.encode({ group: id, body: { type: 'push', envelope } }))
    assert.equal(groups.counts.delivered, delivered)
    assert.equal(counters.dropped['store-behind'], gossiped.length - delivered + sent.length)
    assert.equal(heard.length, 0)
    assert.equal(paused.now, true)
    journal.fail = false
    await eventually('what was taken', () => heard.length === delivered)
    await eventually('gossip', () => !paused.now)
  })
})

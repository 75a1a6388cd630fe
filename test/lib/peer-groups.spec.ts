import assert from 'node:assert/strict'
import { newCounters } from '../../lib/host/counters.ts'
import type { Gossip } from '../../lib/host/gossip.ts'
import { cryptoOf, generateIdentity } from '../../lib/host/identity.ts'
import type { Links } from '../../lib/host/links.ts'
import type { Entries, Journal } from '../../lib/host/store.ts'
import { PeerGroups } from '../../lib/peer-groups.ts'
import { PeerClock } from '../../lib/protocols/clocks/peer-clock.ts'
import type { MemberView } from '../../lib/protocols/membership/messages.ts'
import { eventually } from '../support/eventually.ts'

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
    const groups: PeerGroups = new PeerGroups({
      self: identity.peerId,
      cluster: '00'.repeat(16),
      crypto: cryptoOf(identity),
      clock: new PeerClock(undefined),
      config: {},
      durable: new Map(),
      journal,
      links: { send: () => true, strike: () => {} } as unknown as Links,
      gossip: {
        publish: () => true,
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
    return { groups, journal, counters, identity }
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
})

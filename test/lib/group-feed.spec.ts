import assert from 'node:assert/strict'
import type { GroupItem } from '../../lib/group.ts'
import { GroupFeed } from '../../lib/group-feed.ts'
import type { PeerId } from '../../lib/protocols/core.ts'
import type { LogMessage } from '../../lib/protocols/multicast/messages.ts'

/** A log of numbers that forgets its beginning when it is told to. */
class FakeLog {
  readonly log = 'ab'.repeat(12)
  readonly name = 'g'
  first = 1
  last = 0

  bounds() {
    return { first: this.first, last: this.last }
  }

  read(index: number, max: number): LogMessage[] {
    const messages: LogMessage[] = []
    for (let at = Math.max(index + 1, this.first); at <= this.last && messages.length < max; at += 1) {
      messages.push({
        index: at,
        author: 'a',
        epoch: 1,
        seq: at,
        lamport: at,
        payload: new Uint8Array(),
      } as never)
    }
    return messages
  }

  vectorOf() {
    return undefined
  }
}

const gap = (from: number) =>
  ({ type: 'gap', group: 'g', ranges: [{ sender: 'a' as PeerId, epoch: 1, from, to: from }] }) as const

/** `m3` for the message of index 3, `n3` for the notice of a gap from 3. */
function nameOf(item: GroupItem): string {
  if (item.type === 'message') return `m${item.index}`
  return item.type === 'gap' ? `n${item.ranges[0]?.from}` : item.type
}

function feedOf(messages: number) {
  const log = new FakeLog()
  const feed = new GroupFeed(log)
  const deliver = (count: number): void => {
    log.last += count
    feed.show(log.last)
  }
  deliver(messages)
  return { log, feed, deliver }
}

async function take(items: AsyncIterator<GroupItem>, count: number): Promise<string[]> {
  const names: string[] = []
  while (names.length < count) {
    const { value, done } = await items.next()
    if (done === true) break
    names.push(nameOf(value))
  }
  return names
}

const unknown = (error: unknown) => (error as { code?: string }).code === 'ERR_CURSOR_UNKNOWN'

describe("a group's feed", () => {
  it('tells notices in their place, to each reader at its own pace', async () => {
    const { feed, deliver } = feedOf(0)
    const slow = feed.items({ from: 'earliest' })
    const quick = feed.items({ from: 'latest' })
    feed.notice(gap(1))
    deliver(2)
    feed.notice(gap(2))
    feed.notice(gap(3))
    deliver(1)
    const expected = ['n1', 'm1', 'm2', 'n2', 'n3', 'm3']
    assert.deepEqual(await take(quick, 6), expected)
    assert.deepEqual(await take(slow, 6), expected)
  })

  it('wakes a reader for what comes between its reads', async () => {
    const { feed, deliver } = feedOf(0)
    const items = feed.items()
    const names: string[] = []
    for (let i = 1; i <= 200; i += 1) {
      const next = items.next()
      if (i % 2 === 0) await Promise.resolve()
      deliver(1)
      names.push(nameOf((await next).value))
    }
    assert.deepEqual(
      names,
      Array.from({ length: 200 }, (_, i) => `m${i + 1}`),
    )
  })

  it('skips no notice while older ones are forgotten under the reader', async () => {
    const { feed } = feedOf(0)
    const items = feed.items()
    for (let i = 1; i <= 1024; i += 1) feed.notice(gap(i))
    assert.deepEqual(await take(items, 1), ['n1'])
    feed.notice(gap(1025))
    assert.deepEqual(await take(items, 3), ['n2', 'n3', 'n4'])
  })

  it('tells a reader that the log has moved on, also while it dealt with a notice', async () => {
    const { feed, log, deliver } = feedOf(0)
    const items = feed.items()
    feed.notice(gap(1))
    assert.deepEqual(await take(items, 1), ['n1'])
    deliver(10)
    log.first = 6
    await assert.rejects(items.next(), unknown)
  })

  it('holds little for a reader that stalls', async () => {
    const log = new FakeLog()
    const feed = new GroupFeed({
      ...log,
      bounds: () => log.bounds(),
      vectorOf: () => undefined,
      read: (index, max) => {
        const messages = log.read(index, max)
        return messages.map((message) => ({ ...message, payload: new Uint8Array(200 * 1024) }))
      },
    })
    log.last = 10
    feed.show(10)
    const items = feed.items({ from: 'earliest' })
    assert.deepEqual(await take(items, 1), ['m1'])
    log.first = 6
    await assert.rejects(items.next(), unknown)
  })

  it('refuses a cursor from below the log, and reads on after one right before it', async () => {
    const { feed, log } = feedOf(10)
    const cursor = (index: number) => `${log.log}.${index}`
    log.first = 6
    assert.throws(() => feed.items({ from: cursor(4) }), unknown)
    assert.throws(() => feed.items({ from: cursor(11) }), unknown)
    assert.deepEqual(await take(feed.items({ from: cursor(5) }), 5), ['m6', 'm7', 'm8', 'm9', 'm10'])
    assert.deepEqual(await take(feed.items({ from: 'earliest' }), 1), ['m6'])
  })

  it('ends readers that wait, and lets others take what is there first', async () => {
    const { feed } = feedOf(3)
    const waiting = feed.items().next()
    const reading = feed.items({ from: 'earliest' })
    feed.end()
    assert.equal((await waiting).done, true)
    assert.deepEqual(await take(reading, 4), ['m1', 'm2', 'm3'])
  })

  it('ends a reader whose signal aborts, whether it waits or not', async () => {
    const { feed } = feedOf(3)
    const controller = new AbortController()
    const waiting = feed.items({ signal: controller.signal }).next()
    const reading = feed.items({ from: 'earliest', signal: controller.signal })
    assert.deepEqual(await take(reading, 1), ['m1'])
    controller.abort()
    assert.equal((await waiting).done, true)
    assert.equal((await reading.next()).done, true)
  })
})

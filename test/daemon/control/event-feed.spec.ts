import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { EventFeed, type FeedLimits, feedLimits } from '../../../daemon/control/event-feed.ts'
import { toRow } from '../../../daemon/control/member-rows.ts'
import type { MemberRow } from '../../../daemon/control/schemas.ts'
import { eventually } from '../../support/eventually.ts'
import { removeTempDirs, tempDir } from '../../support/temp-dir.ts'
import { ids, view } from '../support/fake-peer.ts'
import { openStream } from '../support/raw-http.ts'

interface Received {
  readonly event: string
  readonly id: string | undefined
  readonly data: {
    readonly members?: readonly MemberRow[]
    readonly incarnation?: number
    readonly code?: string
    readonly isolated?: boolean
  }
}

function row(incarnation: number, addresses: readonly string[] = []): MemberRow {
  return toRow(view(ids[1], 'm1', { incarnation, addresses }))
}

describe('the stream of member events', () => {
  let server: Server
  let feed: EventFeed
  let socketPath: string

  async function serve(limits: Partial<FeedLimits> = {}): Promise<void> {
    feed = new EventFeed(() => ({ members: [row(100)] }), { ...feedLimits, ...limits })
    server = createServer((request, response) => {
      try {
        const id = request.headers['last-event-id']
        feed.attach(response, typeof id === 'string' ? id : undefined)
      } catch {
        response.writeHead(503).end()
      }
    })
    socketPath = join(await tempDir(), 's')
    await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  }

  afterEach(async () => {
    feed.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await removeTempDirs()
  })

  async function watch(lastEventId?: string): Promise<{ events: Received[]; response: IncomingMessage }> {
    const headers: Record<string, string> = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
    const { response } = await openStream({ socketPath }, '/', headers)
    const events: Received[] = []
    let text = ''
    response.on('data', (chunk: Buffer) => {
      text += chunk
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) if (!block.startsWith(':')) events.push(parse(block))
    })
    response.on('error', () => {})
    return { events, response }
  }

  function parse(block: string): Received {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
    return { event: field('event') ?? '', id: field('id'), data: JSON.parse(field('data') ?? 'null') }
  }

  it('begins with a snapshot and goes on with each changed row', async () => {
    await serve()
    const { events } = await watch()
    await eventually('the snapshot', () => events.length === 1)
    feed.publish(row(1))
    feed.publish(row(2))
    await eventually('both changes', () => events.length === 3)
    assert.deepEqual(
      events.map(({ event }) => event),
      ['snapshot', 'member', 'member'],
    )
    assert.equal(events[0]?.data.members?.[0]?.incarnation, 100)
    assert.deepEqual(
      events.slice(1).map(({ data }) => data.incarnation),
      [1, 2],
    )
    assert.equal(new Set(events.map(({ id }) => id)).size, 3)
  })

  it('tells that nobody is heard, also to whoever comes while that holds, and that it is over', async () => {
    await serve()
    const before = await watch()
    await eventually('the snapshot', () => before.events.length === 1)
    feed.publishIsolation({ isolated: true, since: 1 })
    const meanwhile = await watch()
    await eventually('the snapshot, and what it is worth', () => meanwhile.events.length === 2)
    feed.publishIsolation({ isolated: false, since: 2 })
    await eventually('both are told', () => before.events.length === 3 && meanwhile.events.length === 3)
    for (const { events } of [before, meanwhile]) {
      assert.deepEqual(
        events.map(({ event, data }) => [event, data.isolated]),
        [
          ['snapshot', undefined],
          ['isolated', true],
          ['isolated', false],
        ],
      )
    }
    const after = await watch()
    const returned = await watch(before.events[1]?.id)
    await eventually('what was missed', () => after.events.length === 1 && returned.events.length === 1)
    assert.deepEqual([after.events[0]?.event, returned.events[0]?.data.isolated], ['snapshot', false])
  })

  it('resumes after the id that was seen last, without a gap or a repetition', async () => {
    await serve()
    const first = await watch()
    await eventually('the snapshot', () => first.events.length === 1)
    for (const incarnation of [1, 2, 3]) feed.publish(row(incarnation))
    await eventually('the changes', () => first.events.length === 4)
    const second = await watch(first.events[1]?.id)
    await eventually('the missed changes', () => second.events.length === 2)
    feed.publish(row(4))
    await eventually('the next change', () => second.events.length === 3)
    assert.deepEqual(
      second.events.map(({ event, data }) => [event, data.incarnation]),
      [
        ['member', 2],
        ['member', 3],
        ['member', 4],
      ],
    )
    const current = await watch(second.events[2]?.id)
    feed.publish(row(5))
    await eventually('only what is new', () => current.events.length === 1)
    assert.equal(current.events[0]?.data.incarnation, 5)
  })

  it('begins anew for an id that is too old, of another life, or nonsense', async () => {
    await serve({ ring: 2 })
    const { events } = await watch()
    await eventually('the snapshot', () => events.length === 1)
    for (const incarnation of [1, 2, 3]) feed.publish(row(incarnation))
    await eventually('the changes', () => events.length === 4)
    const future = events[3]?.id?.replace(/\d+$/, '99')
    for (const id of [events[0]?.id, '00000000-1', 'nonsense', future]) {
      const other = await watch(id)
      await eventually('a snapshot', () => other.events.length === 1)
      assert.equal(other.events[0]?.event, 'snapshot')
      assert.equal(other.events[0]?.id, events[3]?.id)
    }
  })

  it('cuts a reader that is too slow, tells it, and does not slow down the others', async () => {
    await serve({ bufferedBytes: 64 * 1024 })
    const slow = await watch()
    await eventually('the snapshot', () => slow.events.length === 1)
    slow.response.pause()
    const quick = await watch()
    await eventually('the snapshot', () => quick.events.length === 1)
    const long = ['/dns4/'.padEnd(4000, 'x')]
    let published = 0
    await eventually('the slow one is cut', async () => {
      for (let burst = 0; burst < 8; burst++) feed.publish(row(++published, long))
      return feed.readers === 1
    })
    assert.ok(published * 4000 < 4 * 1024 * 1024, 'far more than its allowance was kept for a slow reader')
    await eventually('all changes at the quick one', () => quick.events.length === 1 + published)
    slow.response.resume()
    await eventually('the notice', () => slow.events.at(-1)?.event === 'overrun')
    assert.equal(slow.events.at(-1)?.data.code, 'ERR_SLOW_READER')
  })

  it('takes a limited number of readers, and new ones when others go', async () => {
    await serve({ readers: 1 })
    const { response } = await watch()
    const refused = await openStream({ socketPath }, '/')
    assert.equal(refused.response.statusCode, 503)
    refused.request.destroy()
    response.destroy()
    await eventually('a free place', () => feed.readers === 0)
    assert.equal((await watch()).response.statusCode, 200)
  })

  it('keeps an idle connection open with comments', async () => {
    await serve({ keepAliveMs: 10 })
    const { response } = await openStream({ socketPath }, '/')
    let text = ''
    response.on('data', (chunk) => {
      text += chunk
    })
    await eventually('three comments', () => text.split('\n:\n').length > 3)
  })
})

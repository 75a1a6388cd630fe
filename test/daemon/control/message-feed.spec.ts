import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { SseDecoder } from '../../../daemon/client/sse.ts'
import { MessageFeed, messageFeedLimits } from '../../../daemon/control/message-feed.ts'
import type { StreamFeedLimits } from '../../../daemon/control/stream-feed.ts'
import { P2pdError } from '../../../lib/wire/errors.ts'
import { eventually } from '../../support/eventually.ts'
import { removeTempDirs, tempDir } from '../../support/temp-dir.ts'
import { FakeGroup } from '../support/fake-groups.ts'
import { call, openStream } from '../support/raw-http.ts'
import { SseReader } from '../support/sse-reader.ts'

describe('the stream of a group', () => {
  let server: Server
  let feed: MessageFeed
  let group: FakeGroup
  let place: { socketPath: string }
  let opened: Promise<unknown>

  async function serve(limits: Partial<StreamFeedLimits> = {}): Promise<void> {
    group = new FakeGroup('g', new Map())
    feed = new MessageFeed((error) => new P2pdError('ERR_INTERNAL', String(error)), {
      ...messageFeedLimits,
      ...limits,
    })
    opened = Promise.resolve()
    server = createServer((request, response) => {
      const from = new URL(request.url ?? '', 'http://p2pd').searchParams.get('from') ?? 'latest'
      const open = async (signal: AbortSignal) => {
        await opened
        return { items: group.items({ from, signal }), ended: () => undefined }
      }
      feed.attach(response, open, () => {}).catch((error) => response.writeHead(503).end(String(error.code)))
    })
    place = { socketPath: join(await tempDir(), 's') }
    await new Promise<void>((resolve) => server.listen(place.socketPath, resolve))
  }

  afterEach(async () => {
    feed.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await removeTempDirs()
  })

  it('takes from the log only what a stalled reader has room for, and loses nothing', async () => {
    await serve()
    const payload = Buffer.alloc(64 * 1024, 'x')
    for (let index = 0; index < 400; index++) group.deliver(payload)
    const { response } = await openStream(place, '/?from=earliest')
    await eventually('the socket is full', async () => {
      const before = group.taken
      await new Promise((resolve) => setTimeout(resolve, 100))
      return before > 0 && group.taken === before
    })
    assert.ok(group.taken < 40, `${group.taken} of 400 messages were taken for a reader that does not read`)
    const quick = await SseReader.open(place, '/?from=c399')
    await quick.until(1)
    const decoder = new SseDecoder(payload.byteLength * 2)
    const cursors: unknown[] = []
    for await (const chunk of response) {
      for (const { id } of decoder.push(chunk)) cursors.push(id)
      if (cursors.length === 400) break
    }
    assert.deepEqual(
      cursors,
      Array.from({ length: 400 }, (_, index) => `c${index + 1}`),
    )
    quick.close()
  })

  it('takes a limited number of readers, and new ones when others go', async () => {
    await serve({ readers: 1 })
    const reader = await SseReader.open(place, '/')
    assert.deepEqual((await call(place, '/')).body, 'ERR_TOO_MANY_STREAMS')
    reader.close()
    await eventually('a free place', () => feed.readers === 0)
    const next = await SseReader.open(place, '/')
    assert.equal(feed.readers, 1)
    next.close()
  })

  it('gives a place back when its client hangs up before the stream has begun', async () => {
    await serve({ readers: 1 })
    let go = () => {}
    opened = new Promise<void>((resolve) => {
      go = resolve
    })
    const hanging = openStream(place, '/').then(
      () => 'begun',
      () => 'hung up',
    )
    await eventually('it waits', () => feed.readers === 1)
    server.closeAllConnections()
    assert.equal(await hanging, 'hung up')
    await eventually('a free place', () => feed.readers === 0)
    go()
    const reader = await SseReader.open(place, '/')
    group.deliver(Buffer.from('a'))
    await reader.until(1)
    assert.equal(group.taken, 1, 'the one that hung up still reads')
    reader.close()
  })

  it('stops reading the group when its client hangs up', async () => {
    await serve()
    const reader = await SseReader.open(place, '/')
    group.deliver(Buffer.from('a'))
    await reader.until(1)
    reader.close()
    await eventually('it is gone', () => feed.readers === 0)
    group.deliver(Buffer.from('b'))
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(group.taken, 1)
  })

  it('keeps an idle connection open with comments', async () => {
    await serve({ keepAliveMs: 10 })
    const reader = await SseReader.open(place, '/')
    await eventually('three comments', () => reader.text.split('\n:\n').length > 3)
    group.deliver(Buffer.from('a'))
    await reader.until(1)
    reader.close()
  })
})

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControlClient, type MemberStreamEvent } from '../../../daemon/client/client.ts'
import { answering, type FakeDaemon, startFakeDaemon } from './fake-daemon.ts'

describe('the control client', () => {
  const daemons: FakeDaemon[] = []

  async function serve(
    listener: RequestListener,
    limits?: { maxAnswerBytes: number },
  ): Promise<ControlClient> {
    const daemon = await startFakeDaemon(listener)
    daemons.push(daemon)
    return ControlClient.open(daemon.dataDir, limits)
  }

  afterEach(async () => {
    for (const daemon of daemons.splice(0)) await daemon.stop()
  })

  it('sends method, path, query and body as the route says', async () => {
    const seen: { line: string; body: string; type: string | undefined }[] = []
    const client = await serve(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      seen.push({ line: `${request.method} ${request.url}`, body, type: request.headers['content-type'] })
      response.end('{}')
    })
    await client.status()
    await client.members({ status: 'dead' })
    await client.ping({ peer: 'm2' })
    await client.leave()
    await client.leave({ force: true })
    await client.plugins()
    assert.deepEqual(seen, [
      { line: 'GET /v1/status', body: '', type: undefined },
      { line: 'GET /v1/members?status=dead', body: '', type: undefined },
      { line: 'POST /v1/ping', body: '{"peer":"m2"}', type: 'application/json' },
      { line: 'POST /v1/leave', body: '{"force":false}', type: 'application/json' },
      { line: 'POST /v1/leave', body: '{"force":true}', type: 'application/json' },
      { line: 'GET /v1/plugins', body: '', type: undefined },
    ])
  })

  it('throws what the daemon answers, with its code, hint and candidates', async () => {
    const peers = [{ peerId: '12D3KooWa', name: 'a' }]
    const error = { code: 'ERR_AMBIGUOUS_PEER', message: 'which?', hint: 'say more', peers }
    const client = await serve(answering(400, { error }))
    await assert.rejects(client.ping({ peer: 'a' }), { name: 'ControlError', ...error })
  })

  for (const body of ['Bad Gateway', '{"error":{"code":"oops","message":"x"}}', '[]', 'null']) {
    it(`says plainly that an error answer is not of this API: ${body}`, async () => {
      const client = await serve(answering(502, body))
      await assert.rejects(client.status(), { code: 'ERR_CONTROL_API', message: /502/ })
    })
  }

  it('refuses an answer that is not JSON', async () => {
    const client = await serve(answering(200, '<html>'))
    await assert.rejects(client.status(), { code: 'ERR_CONTROL_API' })
  })

  it('refuses an answer beyond its limit', async () => {
    const client = await serve(answering(200, { padding: 'x'.repeat(2000) }), { maxAnswerBytes: 1000 })
    await assert.rejects(client.status(), { code: 'ERR_ANSWER_TOO_LARGE' })
  })

  it('gives up on a daemon that does not answer', async () => {
    const client = await serve(() => {})
    await assert.rejects(client.status({ timeoutMs: 50 }), { code: 'ERR_TIMEOUT', message: /50 ms/ })
  })

  it('gives up on an answer that does not end', async () => {
    const client = await serve((_request, response) => void response.write('{'))
    await assert.rejects(client.status({ timeoutMs: 50 }), { code: 'ERR_TIMEOUT' })
  })

  it('throws the reason of an aborted signal', async () => {
    const aborter = new AbortController()
    const client = await serve(() => aborter.abort(new Error('enough')))
    await assert.rejects(client.status({ signal: aborter.signal }), /enough/)
    await assert.rejects(client.status({ signal: aborter.signal }), /enough/)
  })

  it('says that a daemon hung up before it answered', async () => {
    const client = await serve((request) => request.socket.destroy())
    await assert.rejects(client.status(), { code: 'ERR_CONNECTION_LOST' })
  })

  it('says whether the daemon is ready', async () => {
    let status = 503
    const client = await serve((request, response) =>
      answering(status, { status: 'ready' })(request, response),
    )
    assert.equal(await client.isReady(), false)
    status = 200
    assert.equal(await client.isReady(), true)
  })

  describe('looking for its daemon', () => {
    let folder: string
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'p2pd-client-'))
    })
    afterEach(() => rm(folder, { recursive: true }))

    it('says so when there is no data directory', async () => {
      const client = ControlClient.open(join(folder, 'nowhere'))
      await assert.rejects(client.status(), { code: 'ERR_DAEMON_NOT_RUNNING', hint: /p2pd/ })
      assert.equal(await client.isReady(), false)
    })

    it('says so when nobody listens at the socket', async () => {
      await writeFile(join(folder, 'control.sock'), '')
      await assert.rejects(ControlClient.open(folder).status(), { code: 'ERR_DAEMON_NOT_RUNNING' })
    })

    it('says so when the note about the socket is torn', async () => {
      const long = join(folder, 'x'.repeat(120))
      await mkdir(long)
      await writeFile(join(long, 'control.path'), 'relative/control.so')
      await assert.rejects(ControlClient.open(long).status(), { code: 'ERR_DAEMON_NOT_RUNNING' })
    })

    it('follows the note where the path is too long for a socket', async () => {
      const long = join(folder, 'x'.repeat(120))
      await mkdir(long)
      const socketPath = join(folder, 's')
      await writeFile(join(long, 'control.path'), `${socketPath}\n`)
      daemons.push(await startFakeDaemon(answering(200, { name: 'far' }), socketPath))
      assert.equal((await ControlClient.open(long).status()).name, 'far')
    })
  })

  describe('watching members', () => {
    const row = (name: string) => `event: member\ndata: {"name":"${name}"}\n\n`

    function stream(write: (response: ServerResponse, request: IncomingMessage) => void): RequestListener {
      return (request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        write(response, request)
      }
    }

    async function collect(events: AsyncIterable<MemberStreamEvent>): Promise<string[]> {
      const seen: string[] = []
      for await (const event of events) {
        if (event.type === 'snapshot') seen.push(`snapshot of ${event.snapshot.members.length}`)
        else if (event.type === 'member') seen.push(event.member.name)
        else seen.push(`isolated: ${event.isolation.isolated}`)
      }
      return seen
    }

    it('yields the snapshot, then each row, and ends with the stream', async () => {
      const client = await serve(
        stream((response) => {
          response.write('event: snapshot\nda')
          setImmediate(() => {
            response.write('ta: {"members":[]}\n\n: heartbeat\n\nevent: later\ndata: ?\n\n')
            response.write('event: isolated\ndata: {"isolated":true,"since":1}\n\n')
            response.end(row('a') + row('b'))
          })
        }),
      )
      assert.deepEqual(await collect(client.memberEvents()), ['snapshot of 0', 'isolated: true', 'a', 'b'])
    })

    it('outlives the time-out of its beginning', async () => {
      const client = await serve(
        stream((response) => {
          response.write(row('a'))
          setTimeout(() => response.end(row('b')), 150)
        }),
      )
      assert.deepEqual(await collect(client.memberEvents({ timeoutMs: 100 })), ['a', 'b'])
    })

    it('throws when the connection breaks', async () => {
      const client = await serve(
        stream((response) => {
          response.write(row('a'), () => response.destroy())
        }),
      )
      await assert.rejects(collect(client.memberEvents()), { code: 'ERR_CONNECTION_LOST' })
    })

    it('throws when the daemon cuts it off as too slow', async () => {
      const data = '{"code":"ERR_SLOW_READER","message":"too slow"}'
      const client = await serve(stream((response) => response.end(`event: overrun\ndata: ${data}\n\n`)))
      await assert.rejects(collect(client.memberEvents()), { code: 'ERR_SLOW_READER', message: 'too slow' })
    })

    it('refuses an event beyond its limit', async () => {
      const client = await serve(
        stream((response) => void response.write(`data: ${'x'.repeat(2000)}`)),
        { maxAnswerBytes: 1000 },
      )
      await assert.rejects(collect(client.memberEvents()), { code: 'ERR_ANSWER_TOO_LARGE' })
    })

    it('throws the reason of a signal aborted on the way', async () => {
      const aborter = new AbortController()
      const client = await serve(
        stream((response) => {
          response.write(row('a'), () => aborter.abort(new Error('enough')))
        }),
      )
      await assert.rejects(collect(client.memberEvents({ signal: aborter.signal })), /enough/)
    })

    it('closes the connection when its reader stops', async () => {
      let closed: Promise<unknown> = Promise.resolve()
      const client = await serve(
        stream((response, request) => {
          closed = once(request.socket, 'close')
          response.write(row('a'))
        }),
      )
      for await (const event of client.memberEvents()) {
        assert.equal(event.type, 'member')
        break
      }
      await closed
    })

    it('throws what the daemon answers instead of a stream', async () => {
      const client = await serve(
        answering(503, { error: { code: 'ERR_STOPPING', message: 'ending', hint: null } }),
      )
      await assert.rejects(collect(client.memberEvents()), { code: 'ERR_STOPPING' })
    })
  })
})

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import fc from 'fast-check'
import { contract } from '../../../daemon/control/contract.ts'
import { createGroupHandlers, openMessages } from '../../../daemon/control/group-handlers.ts'
import { decodePayload, encodePayload } from '../../../daemon/control/payload.ts'
import { matchesPath, pathOf, routes } from '../../../daemon/control/routes.ts'
import { errorAnswer, limits, messageLine, noticeLine, traceLine } from '../../../daemon/control/schemas.ts'
import type { GroupItem } from '../../../lib/group.ts'
import { removeTempDirs } from '../../support/temp-dir.ts'
import { openControl, type TestControl } from '../support/control.ts'
import { author, type FakeGroup } from '../support/fake-groups.ts'
import { FakePeer, ids } from '../support/fake-peer.ts'
import { type Answer, call, post } from '../support/raw-http.ts'
import { SseReader } from '../support/sse-reader.ts'

const mebibyte = 1024 * 1024

function refused(answer: Answer, status: number, code: string): void {
  assert.equal(answer.status, status, answer.body)
  assert.equal(errorAnswer.parse(JSON.parse(answer.body)).error.code, code)
}

describe('the control API of groups', () => {
  let control: TestControl

  beforeEach(async () => {
    control = await openControl()
  })
  afterEach(async () => {
    await control.plane.close()
    await removeTempDirs()
  })

  const publish = (group: string, body: unknown): Promise<Answer> =>
    post(control.place, pathOf(routes.publish, { group }), body)

  describe('publishing', () => {
    it('joins the group and says which message it has become', async () => {
      const answer = await publish('orders', { data: 'naïve', encoding: 'utf8' })
      assert.equal(answer.status, 200)
      const expected = { group: 'orders', sender: author, epoch: 7, seq: 1, lamport: 11 }
      assert.deepEqual(contract.publish.answer.parse(JSON.parse(answer.body)), {
        ...expected,
        vector: { [`${author}#7`]: 1 },
      })
      const [item] = control.peer.logs.get('orders')?.log ?? []
      assert.equal(item?.type === 'message' && Buffer.from(item.data).toString(), 'naïve')
    })

    it('takes bytes as base64, and text where nothing is said', async () => {
      await publish('g', { data: 'AP/+', encoding: 'base64' })
      await publish('g', { data: '' })
      const data = control.peer.logs.get('g')?.log.map((item) => item.type === 'message' && [...item.data])
      assert.deepEqual(data, [[0, 255, 254], []])
    })

    for (const data of ['AP/', 'AP/+=', 'AP_-', 'A===', 'AB==', ' AP/+', 'AP/+\n', '!']) {
      it(`refuses ${JSON.stringify(data)} as base64, and joins nothing`, async () => {
        refused(await publish('g', { data, encoding: 'base64' }), 400, 'ERR_BAD_REQUEST')
        assert.equal(control.peer.logs.has('g'), false)
      })
    }

    it('refuses text that UTF-8 cannot carry', async () => {
      refused(await publish('g', { data: 'a\ud800' }), 400, 'ERR_BAD_REQUEST')
    })

    it('takes 1 MiB as base64 and refuses one byte more, whichever way it comes', async () => {
      const bytes = Buffer.alloc(mebibyte + 1, 7)
      const whole = bytes.subarray(1).toString('base64')
      assert.equal((await publish('g', { data: whole, encoding: 'base64' })).status, 200)
      refused(
        await publish('g', { data: bytes.toString('base64'), encoding: 'base64' }),
        413,
        'ERR_TOO_LARGE',
      )
      refused(await publish('g', { data: 'a'.repeat(mebibyte + 1) }), 413, 'ERR_TOO_LARGE')
      refused(await publish('g', { data: 'é'.repeat(mebibyte / 2 + 1) }), 413, 'ERR_TOO_LARGE')
    })

    it('refuses a body that is too large before it is there, and the answer arrives', async () => {
      const started = Date.now()
      const sent = request({
        ...control.place,
        path: '/v1/groups/g/messages',
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': String(1024 * mebibyte) },
        agent: false,
      })
      sent.on('error', () => {})
      sent.write('{"data":"')
      const [response] = await once(sent, 'response')
      assert.equal(response.statusCode, 413)
      assert.ok(Date.now() - started < 5000)
      sent.destroy()
      refused(await publish('g', { data: 'a'.repeat(8 * mebibyte) }), 413, 'ERR_TOO_LARGE')
    })

    it('refuses the same in chunks of unknown length', async () => {
      const sent = request({
        ...control.place,
        path: '/v1/groups/g/messages',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        agent: false,
      })
      const answered = once(sent, 'response')
      sent.write('{"data":"')
      for (let chunk = 0; chunk < 40; chunk++) sent.write('a'.repeat(65_536))
      sent.end('"}')
      const [response] = await answered
      assert.equal(response.statusCode, 413)
      let body = ''
      for await (const chunk of response) body += chunk
      assert.equal(JSON.parse(body).error.code, 'ERR_TOO_LARGE')
    })

    it('leaves every other route its small limit', async () => {
      const body = { peer: 'x'.repeat(limits.bodyBytes) }
      refused(await post(control.place, '/v1/ping', body), 413, 'ERR_BODY_TOO_LARGE')
    })

    it('takes every name that a group may have, and refuses others', async () => {
      for (const group of ['all', 'a/b', '%', '?#&', '..%2F', '~'.repeat(64), '/'.repeat(64)]) {
        const { status, body } = await publish(group, { data: 'x' })
        assert.equal(status, 200, body)
        assert.equal(JSON.parse(body).group, group)
      }
      for (const group of ['', 'a b', 'é', 'x'.repeat(65), 'x'.repeat(5000), 'a\n']) {
        refused(await publish(group, { data: 'x' }), 400, 'ERR_BAD_GROUP')
      }
    })

    it('names the methods of a path with a group in it', async () => {
      const answer = await call(control.place, '/v1/groups/g/messages', { method: 'DELETE' })
      refused(answer, 405, 'ERR_METHOD_NOT_ALLOWED')
      assert.equal(answer.headers.allow, 'POST, GET')
      refused(await call(control.place, '/v1/groups/g'), 404, 'ERR_NO_ROUTE')
    })

    it('tells what the library says when it would block', async () => {
      const { peer } = control
      const group = await peer.group('g')
      const { P2pdError } = await import('../../../lib/wire/errors.ts')
      group.publish = async () => {
        throw new P2pdError('ERR_WOULD_BLOCK', 'too much is under way')
      }
      refused(await publish('g', { data: 'x' }), 503, 'ERR_WOULD_BLOCK')
    })
  })

  describe('the table of groups', () => {
    it('is sorted and shows what each holds', async () => {
      await publish('z', { data: 'x' })
      await publish('b', { data: 'x' })
      const { body } = await call(control.place, '/v1/groups')
      const { groups } = contract.groups.answer.parse(JSON.parse(body))
      assert.deepEqual(
        groups.map(({ name }) => name),
        ['all', 'b', 'z'],
      )
      const { logMessages, logBytes, members } = groups[1] ?? {}
      assert.deepEqual(
        { logMessages, logBytes, members },
        { logMessages: 1, logBytes: 10, members: [author] },
      )
    })

    it('loses a group that is left; one that is not there, or all, cannot be', async () => {
      const leave = (group: string) => post(control.place, pathOf(routes.leaveGroup, { group }), {})
      await publish('g', { data: 'x' })
      const answer = await leave('g')
      assert.deepEqual(JSON.parse(answer.body), { group: 'g', left: true })
      refused(await leave('g'), 400, 'ERR_BAD_GROUP')
      refused(await leave('all'), 400, 'ERR_BAD_GROUP')
      assert.equal(control.peer.logs.has('g'), false)
    })
  })

  it('reads the clocks of a group, of all where none is named', async () => {
    const { body } = await call(control.place, '/v1/clock')
    const clock = contract.clock.answer.parse(JSON.parse(body))
    assert.deepEqual(Object.keys(clock), ['lamport', 'group', 'vector', 'hlc', 'network'])
    assert.equal(clock.group, 'all')
    assert.deepEqual(clock.network, {
      state: 'unsynchronised',
      scope: 'internal',
      timeline: null,
      faultsTolerated: null,
      earliestMs: null,
      latestMs: null,
      offsetMs: null,
      uncertaintyMs: null,
      peers: 0,
    })
    refused(await call(control.place, '/v1/clock?group=g'), 400, 'ERR_BAD_GROUP')
    await publish('g', { data: 'x' })
    const ofGroup = await call(control.place, '/v1/clock?group=g')
    assert.equal(contract.clock.answer.parse(JSON.parse(ofGroup.body)).group, 'g')
  })

  it('shows clock, groups and forks in its status', async () => {
    const hashes = ['aa', 'bb'] as const
    control.peer.proofs = [{ group: 'all', sender: author, epoch: 7, seq: 1, hashes }]
    const { body } = await call(control.place, '/v1/status')
    const { clock, groups, forks } = contract.status.answer.parse(JSON.parse(body))
    assert.deepEqual(clock, { lamport: 12, hlc: '1700000000000.00001' })
    assert.deepEqual(groups, [{ name: 'all', members: 1, delivered: 0, heldBack: 1 }])
    assert.deepEqual(forks, [{ group: 'all', sender: author, epoch: 7, seq: 1, hashes: ['aa', 'bb'] }])
  })

  it('gives the trace as JSON lines', async () => {
    const event = {
      group: 'all',
      host: ids[0],
      hostEpoch: 7,
      sender: author,
      epoch: 7,
      time: 5,
      after: ['x#1:2'],
    }
    control.peer.events = [
      { ...event, index: 1, kind: 'publish', seq: 1 },
      { ...event, index: 2, kind: 'deliver', seq: 2 },
    ]
    const { body, headers } = await call(control.place, '/v1/trace')
    assert.match(headers['content-type'] ?? '', /^application\/x-ndjson/)
    const lines = body.trimEnd().split('\n')
    assert.deepEqual(
      lines.map((line) => traceLine.parse(JSON.parse(line))),
      control.peer.events,
    )
    assert.equal((await call(control.place, '/v1/trace?group=none')).body, '')
  })

  describe('reading', () => {
    const readers: SseReader[] = []
    afterEach(() => {
      for (const reader of readers.splice(0)) reader.close()
    })

    async function read(query = '', headers: Record<string, string> = {}, group = 'g'): Promise<SseReader> {
      const reader = await SseReader.open(control.place, pathOf(routes.messages, { group }) + query, headers)
      readers.push(reader)
      return reader
    }

    const deliver = (group: FakeGroup, ...texts: readonly string[]): void => {
      for (const text of texts) group.deliver(Buffer.from(text))
    }
    const texts = (reader: SseReader) => reader.events.map(({ data }) => data.data)

    it('joins the group and tells what is delivered from then on', async () => {
      const reader = await read()
      const group = await control.peer.group('g')
      deliver(group, 'a', 'b')
      await reader.until(2)
      const line = {
        group: 'g',
        sender: author,
        epoch: 7,
        seq: 1,
        lamport: 11,
        vector: { [`${author}#7`]: 1 },
        hlc: '1700000000001.00000',
        index: 1,
        cursor: 'c1',
        data: 'a',
        encoding: 'utf8',
      }
      assert.deepEqual(reader.events[0], { event: 'message', id: 'c1', data: line })
      messageLine.parse(line)
      assert.equal(reader.events[1]?.id, 'c2')
    })

    it('begins at the earliest, or after a cursor, and leaves vectors out', async () => {
      deliver(await control.peer.group('g'), 'a', 'b', 'c')
      assert.deepEqual(texts(await (await read('?from=earliest')).until(3)), ['a', 'b', 'c'])
      const reader = await read('?from=c1&vector=0&order=causal')
      assert.deepEqual(texts(await reader.until(2)), ['b', 'c'])
      assert.equal('vector' in (reader.events[0]?.data ?? {}), false)
    })

    it('resumes after the id that was seen last, whatever the request began with', async () => {
      const group = await control.peer.group('g')
      deliver(group, 'a', 'b', 'c')
      const first = await (await read('?from=earliest')).until(2)
      first.close()
      const second = await read('?from=earliest', { 'last-event-id': first.events[1]?.id ?? '' })
      deliver(group, 'd')
      assert.deepEqual(texts(await second.until(2)), ['c', 'd'])
      assert.deepEqual(texts(await (await read('?from=earliest', { 'last-event-id': '' })).until(1))[0], 'a')
    })

    it('says before the stream begins that a cursor is unknown, or none', async () => {
      const group = await control.peer.group('g')
      deliver(group, 'a', 'b', 'c')
      group.floor = 3
      const path = '/v1/groups/g/messages'
      refused(await call(control.place, `${path}?from=c1`), 410, 'ERR_CURSOR_UNKNOWN')
      refused(
        await call(control.place, path, { headers: { 'last-event-id': 'c1' } }),
        410,
        'ERR_CURSOR_UNKNOWN',
      )
      refused(await call(control.place, `${path}?from=nonsense`), 400, 'ERR_BAD_CURSOR')
    })

    it('ends with an error when the position leaves the log later', async () => {
      const group = await control.peer.group('g')
      const { P2pdError } = await import('../../../lib/wire/errors.ts')
      let open = (): void => {}
      const opened = new Promise<void>((resolve) => {
        open = resolve
      })
      group.items = async function* (): AsyncGenerator<GroupItem, void, undefined> {
        await opened
        yield* []
        throw new P2pdError('ERR_CURSOR_UNKNOWN', 'the log has moved on', { hint: 'begin at earliest' })
      }
      const reader = await read('?from=c1')
      open()
      await reader.ended
      assert.deepEqual(reader.events, [
        {
          event: 'error',
          id: undefined,
          data: { code: 'ERR_CURSOR_UNKNOWN', message: 'the log has moved on', hint: 'begin at earliest' },
        },
      ])
    })

    it('hides a fault of its own', async () => {
      const group = await control.peer.group('g')
      let open = (): void => {}
      const opened = new Promise<void>((resolve) => {
        open = resolve
      })
      group.items = async function* (): AsyncGenerator<GroupItem, void, undefined> {
        await opened
        yield* []
        throw new TypeError('the secret detail')
      }
      const reader = await read()
      open()
      await reader.ended
      assert.equal(reader.events[0]?.data.code, 'ERR_INTERNAL')
      assert.doesNotMatch(reader.text, /secret detail/)
    })

    it('tells what is no delivery as an event of its own type, without an id', async () => {
      const reader = await read()
      const group = await control.peer.group('g')
      const dot = { group: 'g', sender: author, epoch: 1, seq: 2 }
      const ranges = [{ sender: author, epoch: 1, from: 2, to: 3 }]
      group.add({ type: 'gap', group: 'g', ranges })
      group.add({ type: 'history-truncated', group: 'g', ranges })
      group.add({ type: 'undeliverable', ...dot })
      group.add({ type: 'equivocation', ...dot, hashes: ['aa', 'bb'] })
      await reader.until(4)
      assert.deepEqual(reader.events, [
        { event: 'gap', id: undefined, data: { event: 'gap', group: 'g', ranges } },
        {
          event: 'history-truncated',
          id: undefined,
          data: { event: 'history-truncated', group: 'g', ranges },
        },
        { event: 'undeliverable', id: undefined, data: { event: 'undeliverable', ...dot } },
        {
          event: 'equivocation',
          id: undefined,
          data: { event: 'equivocation', ...dot, hashes: ['aa', 'bb'] },
        },
      ])
      for (const { data } of reader.events) noticeLine.parse(data)
    })

    it('gives bytes that are no text as base64, and keeps text as it is', async () => {
      const reader = await read()
      const group = await control.peer.group('g')
      group.deliver(Buffer.from([0xff, 0xfe]), { vectorExact: false, hlc: null })
      deliver(group, '\ufeffa\u0000\r\n\u2028data: x\n\n', '')
      await reader.until(3)
      const [binary, text, empty] = reader.events.map(({ data }) => data)
      assert.deepEqual(
        [binary?.data, binary?.encoding, binary?.vectorExact, binary?.hlc],
        ['//4=', 'base64', false, null],
      )
      assert.deepEqual([text?.data, text?.encoding], ['\ufeffa\u0000\r\n\u2028data: x\n\n', 'utf8'])
      assert.deepEqual([empty?.data, empty?.encoding], ['', 'utf8'])
      for (const { data } of reader.events) messageLine.parse(data)
    })

    for (const order of ['fifo', 'total']) {
      it(`refuses ${order} order, and joins nothing`, async () => {
        refused(
          await call(control.place, `/v1/groups/g/messages?order=${order}`),
          400,
          'ERR_ORDER_UNAVAILABLE',
        )
        assert.equal(control.peer.logs.has('g'), false)
      })
    }

    it('refuses what it does not know', async () => {
      for (const query of ['order=random', 'vector=2', 'from=', `from=${'c'.repeat(257)}`, 'since=1']) {
        refused(await call(control.place, `/v1/groups/g/messages?${query}`), 400, 'ERR_BAD_REQUEST')
      }
      refused(await call(control.place, '/v1/groups/a%20b/messages'), 400, 'ERR_BAD_GROUP')
    })

    it('says that the group was left, and ends', async () => {
      const reader = await read()
      await (await control.peer.group('g')).leave()
      await reader.ended
      assert.equal(reader.events.at(-1)?.data.code, 'ERR_GROUP_LEFT')
    })

    it('just ends when the daemon does', async () => {
      const reader = await read()
      control.plane.stopping()
      await control.plane.close()
      await reader.ended
      assert.deepEqual(reader.events, [])
    })
  })
})

describe('a group that keeps one waiting', () => {
  const waits = { joinMs: 20, publishMs: 20 }
  const never = new AbortController().signal
  const ask = (peer: FakePeer, signal = never) =>
    createGroupHandlers(() => peer, waits).publish({
      params: { group: 'g' },
      query: undefined,
      body: { data: 'x', encoding: 'utf8' },
      signal,
    })
  const request = { group: 'g', from: 'latest', order: 'causal', vector: true } as const

  it('is given up in time while it is joined', async () => {
    const peer = new FakePeer()
    peer.stuck = true
    await assert.rejects(async () => await ask(peer), { code: 'ERR_TIMEOUT' })
    await assert.rejects(openMessages(peer, request, never, waits), { code: 'ERR_TIMEOUT' })
  })

  it('is given up in time while it does not take the message', async () => {
    const peer = new FakePeer()
    const group = await peer.group('g')
    group.stuck = true
    await assert.rejects(async () => await ask(peer), { code: 'ERR_WOULD_BLOCK' })
  })

  it('is not waited for when the client has gone', async () => {
    const peer = new FakePeer()
    peer.stuck = true
    const aborter = new AbortController()
    const asked = assert.rejects(async () => await ask(peer, aborter.signal), { name: 'AbortError' })
    aborter.abort()
    await asked
  })
})

describe('a payload', () => {
  it('comes out of JSON as it went in, as text whenever it is text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const encoded = encodePayload(bytes)
        const text = Buffer.from(bytes).toString()
        assert.equal(encoded.encoding === 'utf8', Buffer.from(text).equals(bytes))
        assert.deepEqual([...decodePayload(JSON.parse(JSON.stringify(encoded)))], [...bytes])
      }),
    )
  })
})

describe('the path of a route', () => {
  it('fits the route that it was made from, whatever the group', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (group) => {
        assert.ok(matchesPath(routes.messages, pathOf(routes.messages, { group })))
        assert.ok(!matchesPath(routes.leaveGroup, pathOf(routes.messages, { group })))
      }),
    )
  })
})

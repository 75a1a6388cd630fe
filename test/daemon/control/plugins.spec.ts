import assert from 'node:assert/strict'
import { errorAnswer, pluginsAnswer, statusAnswer } from '../../../daemon/control/schemas.ts'
import { eventually } from '../../support/eventually.ts'
import { removeTempDirs } from '../../support/temp-dir.ts'
import { openControl, type TestControl } from '../support/control.ts'
import { ids } from '../support/fake-peer.ts'
import { GreeterApi, greeter } from '../support/greeter.ts'
import { type Answer, call, post } from '../support/raw-http.ts'
import { SseReader } from '../support/sse-reader.ts'

describe('what a plugin adds to the control API', () => {
  let control: TestControl
  let api: GreeterApi

  beforeEach(async () => {
    api = new GreeterApi()
    control = await openControl({ plugins: [greeter], apis: { greeter: api } })
  })

  afterEach(async () => {
    await control.plane.close()
    await removeTempDirs()
  })

  function refused(answer: Answer, status: number, code: string): void {
    assert.equal(answer.status, status, answer.body)
    assert.equal(errorAnswer.parse(JSON.parse(answer.body)).error.code, code)
  }

  it('is asked with what its schemas let through, and answers as the daemon does', async () => {
    const answer = await call(control.place, '/v1/greetings/m%202?loud=1')
    assert.deepEqual([answer.status, JSON.parse(answer.body)], [200, { greeting: 'HELLO M 2', count: 1 }])
    assert.match(answer.headers['content-type'] ?? '', /^application\/json/)
    assert.equal(answer.headers['cache-control'], 'no-store')
    refused(await call(control.place, '/v1/greetings/m2?loud=2'), 400, 'ERR_BAD_REQUEST')
    refused(await call(control.place, '/v1/greetings/m2?more=1'), 400, 'ERR_BAD_REQUEST')
    refused(await post(control.place, '/v1/greetings', { peer: 7 }), 400, 'ERR_BAD_REQUEST')
    refused(
      await post(control.place, '/v1/greetings', { peer: 'x'.repeat(70_000) }),
      413,
      'ERR_BODY_TOO_LARGE',
    )
    assert.equal(api.greeted, 1, 'a refused request has reached the plugin')
  })

  it('finds the peer that a user means', async () => {
    const { body } = await post(control.place, '/v1/greetings', { peer: 'm1' })
    assert.deepEqual(JSON.parse(body), { peerId: ids[1], name: 'm1' })
    refused(await post(control.place, '/v1/greetings', { peer: '12D3' }), 409, 'ERR_AMBIGUOUS_PEER')
    refused(await post(control.place, '/v1/greetings', { peer: 'm9' }), 404, 'ERR_UNKNOWN_PEER')
  })

  it('fails in the one form, with its own codes, and hides what is its own fault', async () => {
    refused(await call(control.place, '/v1/greetings/m2/failure/refused'), 429, 'ERR_SHY')
    for (const how of ['broken', 'list', 'nothing']) {
      const answer = await call(control.place, `/v1/greetings/m2/failure/${how}`)
      refused(answer, 500, 'ERR_INTERNAL')
      assert.doesNotMatch(answer.body, /secret detail/)
    }
  })

  it('is found and missed like the daemon’s own routes', async () => {
    const wrong = await call(control.place, '/v1/greetings/m2', { method: 'POST' })
    refused(wrong, 405, 'ERR_METHOD_NOT_ALLOWED')
    assert.equal(wrong.headers.allow, 'GET')
    const both = await call(control.place, '/v1/greetings', { method: 'PUT' })
    assert.equal(both.headers.allow, 'POST, GET')
    refused(await call(control.place, '/v1/greetings/m2/failure'), 404, 'ERR_NO_ROUTE')
  })

  it('is listed, and described in OpenAPI', async () => {
    const { plugins } = pluginsAnswer.parse(JSON.parse((await call(control.place, '/v1/plugins')).body))
    assert.deepEqual(
      plugins.map(({ name, verbs, routes }) => [name, verbs.map((verb) => verb.name), routes.length]),
      [['greeter', ['greet', 'greetings'], 4]],
    )
    assert.deepEqual(plugins[0]?.verbs[0], {
      name: 'greet',
      summary: 'greet somebody',
      examples: [{ line: 'p2pd greet m2', meaning: 'by name' }],
      arguments: [
        { name: 'name', summary: 'whom', optional: false },
        { name: 'loud', summary: '1 to shout', optional: true },
      ],
      method: 'GET',
      path: '/v1/greetings/:name',
      streams: false,
    })
    assert.equal(plugins[0]?.verbs[1]?.streams, true)

    const { paths } = JSON.parse((await call(control.place, '/v1/openapi.json')).body)
    const { parameters, responses, tags } = paths['/v1/greetings/{name}'].get
    assert.deepEqual(tags, ['greeter'])
    assert.deepEqual(
      parameters.map((each: { name: string; in: string; required: boolean }) => [
        each.name,
        each.in,
        each.required,
      ]),
      [
        ['name', 'path', true],
        ['loud', 'query', false],
      ],
    )
    const { schema } = responses[200].content['application/json']
    assert.deepEqual(schema.required, ['greeting', 'count'])
    const { requestBody } = paths['/v1/greetings'].post
    assert.deepEqual(requestBody.content['application/json'].schema.required, ['peer'])
    assert.ok(paths['/v1/greetings'].get.responses[200].content['text/event-stream'])
  })

  it('adds to status what it has declared, and nothing else', async () => {
    const read = async () => statusAnswer.parse(JSON.parse((await call(control.place, '/v1/status')).body))
    api.greeted = 3
    const status = await read()
    assert.deepEqual([status.greeter, status.name], [{ greeted: 3 }, 'm0'])
    control.peer.plugins = {}
    assert.equal((await read()).greeter, undefined, 'a plugin that fails takes status with it')
  })

  it('shows its figures, but no more than 64 of a kind', async () => {
    api.greeted = 5
    const { body } = await call(control.place, '/metrics')
    assert.match(body, /\np2pd_greeter_greetings_total 5\n/)
    assert.match(body, /\np2pd_greeter_moods\{mood="m63"\} 5\n/)
    assert.equal([...body.matchAll(/^p2pd_greeter_moods\{/gm)].length, 64)
    control.peer.plugins = {}
    const without = (await call(control.place, '/metrics')).body
    assert.match(
      without,
      /\np2pd_members\{status="alive"\} 2\n/,
      'a plugin that fails takes the others with it',
    )
  })

  it('streams events until it has no more, and resumes', async () => {
    api.script = [
      { event: 'hello', data: { n: 1 }, id: 'a1' },
      { event: 'hello', data: 'two' },
    ]
    const reader = await SseReader.open(control.place, '/v1/greetings')
    await reader.ended
    assert.deepEqual(reader.events, [
      { event: 'hello', id: 'a1', data: { n: 1 } },
      { event: 'hello', id: undefined, data: 'two' },
    ])
    assert.deepEqual(api.ended, ['done'])
    const again = await SseReader.open(control.place, '/v1/greetings', { 'last-event-id': 'a1' })
    await again.ended
    assert.deepEqual(again.events[0]?.data, { lastEventId: 'a1', params: {} })
  })

  it('refuses a stream as it refuses a request, and ends one with its error', async () => {
    api.script = [new P2pdErrorOfAnotherCopy('at the door')]
    refused(await call(control.place, '/v1/greetings'), 429, 'ERR_SHY')
    api.script = [new P2pdErrorOfAnotherCopy('at once')]
    refused(await call(control.place, '/v1/greetings'), 429, 'ERR_SHY')
    const breaks = [
      { act: new P2pdErrorOfAnotherCopy('later'), code: 'ERR_SHY' },
      { act: new Error('the secret detail'), code: 'ERR_INTERNAL' },
      { act: { event: 'error', data: {} }, code: 'ERR_INTERNAL' },
      { act: { event: 'two\nlines', data: {} }, code: 'ERR_INTERNAL' },
      { act: { event: 'hello', data: {}, id: 'two\nlines' }, code: 'ERR_INTERNAL' },
    ]
    for (const { act, code } of breaks) {
      api.script = [{ event: 'hello', data: 1 }, act]
      const reader = await SseReader.open(control.place, '/v1/greetings')
      await reader.ended
      assert.deepEqual(
        reader.events.map(({ event, data }) => [event, data.code]),
        [
          ['hello', undefined],
          ['error', code],
        ],
      )
      assert.doesNotMatch(reader.text, /secret detail/)
    }
  })

  it('is told when the client hangs up, also before the first event', async () => {
    api.script = ['wait']
    const reader = await SseReader.open(control.place, '/v1/greetings')
    assert.equal(reader.response.headers['content-type'], 'text/event-stream; charset=utf-8')
    reader.close()
    await eventually('the plugin knows', () => api.ended[0] === 'aborted')
  })

  it('streams on while the daemon stops, and ends with it', async () => {
    api.script = [{ event: 'hello', data: 1 }, 'wait']
    const reader = await (await SseReader.open(control.place, '/v1/greetings')).until(1)
    control.plane.stopping()
    refused(await call(control.place, '/v1/greetings/m2'), 503, 'ERR_STOPPING')
    assert.deepEqual(api.ended, [])
    await control.plane.close()
    await reader.ended
    await eventually('the plugin knows', () => api.ended[0] === 'aborted')
  })

  it('is not asked before the peer runs, but listed', async () => {
    await control.plane.close()
    control = await openControl({ plugins: [greeter], serve: false })
    for (const path of ['/v1/greetings/m2', '/v1/greetings']) {
      refused(await call(control.place, path), 503, 'ERR_NOT_READY')
    }
    assert.equal((await call(control.place, '/v1/plugins')).status, 200)
    assert.match((await call(control.place, '/metrics')).body, /# TYPE p2pd_greeter_moods gauge\n/)
  })

  it('stands behind the token where the API listens on TCP', async () => {
    await control.plane.close()
    control = await openControl({ plugins: [greeter], apis: { greeter: api }, tcp: '127.0.0.1:0' })
    const { hostname, port } = new URL(control.plane.url ?? '')
    refused(await call({ host: hostname, port: Number(port) }, '/v1/greetings/m2'), 401, 'ERR_UNAUTHORIZED')
  })
})

/** As a plugin throws it that was installed with a p2pd of its own. */
class P2pdErrorOfAnotherCopy extends Error {
  override readonly name = 'P2pdError'
  readonly code = 'ERR_SHY'
  readonly hint = 'ask later'
}

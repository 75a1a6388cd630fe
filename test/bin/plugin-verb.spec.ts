import assert from 'node:assert/strict'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { renderAnswer, requestOf } from '../../bin/plugin-verb.ts'
import type { PluginRow } from '../../daemon/control/schemas.ts'
import { type FakeDaemon, startFakeDaemon } from '../daemon/client/fake-daemon.ts'
import { type CliOptions, type CliResult, runCli } from './run-cli.ts'

type Verb = PluginRow['verbs'][number]

const hello: Verb = {
  name: 'hello',
  summary: 'greet a member',
  examples: [{ line: 'p2pd hello m2', meaning: 'by name' }],
  arguments: [
    { name: 'member', summary: 'whom', optional: false },
    { name: 'words', summary: 'what to say', optional: true },
  ],
  method: 'POST',
  path: '/v1/hello/:member',
  streams: false,
}
const greetings: Verb = {
  ...hello,
  name: 'greetings',
  examples: [{ line: 'p2pd greetings', meaning: 'until Ctrl-C' }],
  arguments: [{ name: 'since', summary: 'from when', optional: true }],
  method: 'GET',
  path: '/v1/greetings',
  streams: true,
}

describe('a verb of a plugin', () => {
  let daemon: FakeDaemon | undefined
  let asked: string[]

  /** A daemon whose plugin has the two verbs; `answer` is asked whatever else there is. */
  async function serve(answer: (body: string, response: ServerResponse) => void): Promise<void> {
    asked = []
    const listener: RequestListener = async (request: IncomingMessage, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      asked.push(`${request.method} ${request.url} ${body}`.trimEnd())
      if (request.url !== '/v1/plugins') return answer(body, response)
      response.end(JSON.stringify({ plugins: [{ name: 'hello', verbs: [hello, greetings], routes: [] }] }))
    }
    daemon = await startFakeDaemon(listener)
  }

  const ask = (args: readonly string[], options: CliOptions = {}): Promise<CliResult> =>
    runCli(args, { ...options, env: { P2PD_DATA: daemon?.dataDir ?? '' } })

  afterEach(async () => {
    await daemon?.stop()
    daemon = undefined
  })

  const greeted = (_body: string, response: ServerResponse) =>
    void response.end('{"greeted":"m2","words":["a","b"],"more":{"x":1},"none":null,"no":[]}')

  it('fills path and body with its arguments, and prints a line a key', async () => {
    await serve(greeted)
    const { exitCode, stdout, stderr } = await ask(['hello', 'm 2', 'good day'])
    assert.deepEqual(
      { exitCode, stdout, stderr },
      { exitCode: 0, stdout: 'greeted: m2\nwords: a, b\nmore: {"x":1}\nnone: -\nno: none\n', stderr: '' },
    )
    assert.deepEqual(asked, ['GET /v1/plugins', 'POST /v1/hello/m%202 {"words":"good day"}'])
  })

  it('prints the object with --json, and takes the data directory like every verb', async () => {
    await serve(greeted)
    const results = await Promise.all([
      ask(['hello', 'm2', '--json']),
      runCli(['--data', daemon?.dataDir ?? '', '--json', 'hello', 'm2']),
      runCli(['hello', '--data', daemon?.dataDir ?? '', 'm2', '--json']),
    ])
    for (const { stdout, stderr } of results) assert.equal(JSON.parse(stdout).greeted, 'm2', stderr)
  })

  it('has a help that begins with its examples', async () => {
    await serve(greeted)
    for (const args of [
      ['hello', '--help'],
      ['hello', 'm2', '-h'],
      ['help', 'hello'],
    ]) {
      const { exitCode, stdout, stderr } = await ask(args)
      assert.equal(exitCode, 0, stderr)
      assert.match(stdout, /^Examples:\n {2}\$ p2pd hello m2 {2}# by name\n/)
      assert.match(stdout, /Usage: p2pd hello \[options\] <member> \[words\]/)
    }
    assert.equal(asked.filter((line) => line !== 'GET /v1/plugins').length, 0)
  })

  it('refuses what it does not take', async () => {
    await serve(greeted)
    const wrong = [
      { args: ['hello'], says: /missing required argument 'member'/ },
      { args: ['hello', 'a', 'b', 'c'], says: /too many arguments/ },
      { args: ['hello', 'm2', '--loud'], says: /unknown option '--loud'/ },
      { args: ['hello', 'm2', '--name', 'x'], says: /unknown option '--name'/ },
    ]
    for (const { args, says } of wrong) {
      const { exitCode, stderr } = await ask(args)
      assert.equal(exitCode, 2)
      assert.match(stderr, /^p2pd: ERR_USAGE: [^\n]+; hint: [^\n]+\n$/)
      assert.match(stderr, says)
    }
  })

  it('fails as the daemon says', async () => {
    const error = { code: 'ERR_UNKNOWN_PEER', message: 'no member is called m9', hint: 'look' }
    await serve((_body, response) => void response.writeHead(404).end(JSON.stringify({ error })))
    const { exitCode, stderr } = await ask(['hello', 'm9'])
    assert.deepEqual([exitCode, stderr], [2, 'p2pd: ERR_UNKNOWN_PEER: no member is called m9; hint: look\n'])
  })

  it('prints a line an event of a stream, until it ends', async () => {
    await serve((_body, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end('event: said\ndata: {"by":"m2","n":1}\n\n:\n\nevent: said\ndata: "two"\n\n')
    })
    const text = await ask(['greetings', 'noon'])
    assert.deepEqual([text.exitCode, text.stdout], [0, 'said  by: m2, n: 1\nsaid  two\n'], text.stderr)
    assert.equal(asked.at(-1), 'GET /v1/greetings?since=noon')
    const json = await ask(['greetings', '--json'])
    assert.equal(json.stdout, '{"event":"said","data":{"by":"m2","n":1}}\n{"event":"said","data":"two"}\n')
  })

  it('ends with the error that its stream ends with', async () => {
    await serve((_body, response) => {
      const error = { code: 'ERR_TIMEOUT', message: 'too late', hint: null }
      response.end(`event: error\ndata: ${JSON.stringify(error)}\n\n`)
    })
    const { exitCode, stderr } = await ask(['greetings'])
    assert.deepEqual([exitCode, stderr], [4, 'p2pd: ERR_TIMEOUT: too late\n'])
  })

  it('is unknown like any other where no plugin has it, or no daemon runs', async () => {
    await serve(greeted)
    const unknown = /^p2pd: ERR_USAGE: unknown command 'nonsense'; hint: [^\n]*those of plugins need a daemon/
    for (const env of [{ P2PD_DATA: daemon?.dataDir ?? '' }, { P2PD_DATA: '/nonexistent' }]) {
      const { exitCode, stdout, stderr } = await runCli(['nonsense', 'x'], { env })
      assert.deepEqual([exitCode, stdout], [2, ''])
      assert.match(stderr, unknown)
      const help = await runCli(['nonsense', '--help'], { env })
      assert.equal(help.exitCode, 0)
      assert.match(help.stdout, /Usage: p2pd \[options\]/)
    }
  })

  it('is looked for by no other command', async () => {
    await serve((_body, response) => void response.end('{"peers":[]}'))
    await ask(['groups', '--json'])
    await ask(['--help'])
    await ask(['members', '--help'])
    await ask(['peers', 'nonsense'])
    await ask(['members', '--nonsense'])
    assert.deepEqual(asked, ['GET /v1/groups'])
  })
})

describe('the request of a verb', () => {
  it('takes what is in the path out of query and body, and leaves out what was not given', () => {
    assert.deepEqual(requestOf(hello, ['a/b']), { method: 'POST', path: '/v1/hello/a%2Fb', body: {} })
    assert.deepEqual(requestOf(greetings, []), { method: 'GET', path: '/v1/greetings', query: {} })
  })

  it('is answered in words that steer no terminal', () => {
    assert.deepEqual(renderAnswer({ 'a\x1b': 'b\x1b[2J', c: true }), ['a?: b?[2J', 'c: true'])
  })
})

import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { answering, type FakeDaemon, startFakeDaemon } from '../daemon/client/fake-daemon.ts'
import { type CliOptions, type CliResult, runCli } from './run-cli.ts'

describe('the command line', () => {
  const wrong: readonly { args: readonly string[]; says: RegExp }[] = [
    { args: ['statu'], says: /unknown command 'statu'; hint: did you mean status\?/ },
    { args: ['statu', '--watch'], says: /unknown command 'statu'/ },
    { args: ['members', '--wach'], says: /unknown option '--wach'; hint: did you mean --watch\?/ },
    { args: ['--nmae', 'x'], says: /unknown option '--nmae'; hint: did you mean --name\?/ },
    { args: ['members', '--status', 'x'], says: /Allowed choices are alive, suspect, dead, left/ },
    { args: ['members', '--status'], says: /argument missing; hint: 'p2pd members --help'/ },
    { args: ['members', '--tag', 'a b=c'], says: /'a b=c' is no tag: .*; hint: write it like role=web/ },
    { args: ['members', '--tag', ''], says: /'' is no tag/ },
    { args: ['tags', '--set', 'role'], says: /option '--set <key=value>': 'role' is not KEY=VALUE; hint/ },
    { args: ['tags', '--set', '=web'], says: /'=web' is not KEY=VALUE/ },
    { args: ['tags', '--set', '__proto__=x'], says: /'__proto__=x' is no tag/ },
    { args: ['tags', '--set', 'a=1', '--delete', 'a'], says: /'a' is given twice/ },
    { args: ['tags', '--delete', 'a=1'], says: /'a=1' is no tag/ },
    { args: ['tags', 'role=web'], says: /too many arguments.*; hint: 'p2pd tags --help'/ },
    { args: ['force-leave'], says: /missing required argument 'peer'/ },
    { args: ['force-leave', 'm2', 'm3'], says: /too many arguments/ },
    { args: ['reachability', 'm2'], says: /too many arguments/ },
    { args: ['reachability', '--timeout', '5'], says: /'5' is not a duration/ },
    { args: ['--profile', 'man'], says: /Allowed choices are lan, local, wan/ },
    { args: ['status', 'extra'], says: /too many arguments/ },
    { args: ['ping'], says: /missing required argument 'peer'/ },
    { args: ['ping', 'm2', '--count', '0'], says: /'0' is out of range; hint: a whole number from 1/ },
    { args: ['ping', 'm2', '--interval', '5'], says: /'5' is not a duration; hint: write it as 250ms/ },
    { args: ['--name', 'x', 'status'], says: /option '--name' is not one of 'p2pd status'/ },
    { args: ['peers'], says: /'p2pd peers' needs a command after it; hint: one of allow, deny, list/ },
    { args: ['peers', 'alow', 'm2'], says: /unknown command 'alow'; hint: did you mean allow\?/ },
    { args: ['peers', 'xyz'], says: /unknown command 'xyz'; hint: 'p2pd peers --help' lists the commands/ },
    { args: ['groups', 'leve', 'g'], says: /unknown command 'leve'; hint: did you mean leave\?/ },
    { args: ['groups', 'leve', '--yes'], says: /unknown command 'leve'; hint: did you mean leave\?/ },
    { args: ['groups', 'leave', 'a', 'b'], says: /too many arguments.*; hint: 'p2pd groups leave --help'/ },
    { args: ['pub', 'g', 'two', 'of', 'them'], says: /too many arguments.*; hint: put the text in quotes$/m },
    { args: ['help', 'nonsense'], says: /unknown command 'nonsense'/ },
    { args: ['completion', 'tcsh'], says: /Allowed choices are bash, zsh, fish/ },
  ]
  for (const { args, says } of wrong) {
    it(`refuses 'p2pd ${args.join(' ')}' in one line`, async () => {
      const { exitCode, stdout, stderr } = await runCli(args)
      assert.equal(exitCode, 2)
      assert.equal(stdout, '')
      assert.match(stderr, /^p2pd: ERR_USAGE: [^\n]+; hint: [^\n]+\n$/)
      assert.match(stderr, says)
    })
  }

  it('refuses wrong usage as an object with --json', async () => {
    const { exitCode, stderr } = await runCli(['members', '--json', '--wach'])
    assert.equal(exitCode, 2)
    const { error } = JSON.parse(stderr)
    assert.equal(error.code, 'ERR_USAGE')
    assert.match(error.hint, /--watch/)
  })

  for (const args of [['--help'], ['members', '--help'], ['peers', 'allow', '-h'], ['help', 'ping']]) {
    it(`begins 'p2pd ${args.join(' ')}' with examples`, async () => {
      const { exitCode, stdout } = await runCli(args)
      assert.equal(exitCode, 0)
      assert.match(stdout, /^Examples:\n {2}\$ p2pd/)
      assert.match(stdout, /Usage: p2pd/)
    })
  }

  it('prints its version', async () => {
    const { stdout } = await runCli(['--version'])
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/)
    assert.deepEqual(JSON.parse((await runCli(['--version', '--json'])).stdout), { version: stdout.trim() })
  })

  for (const verb of ['status', 'members', 'invite', 'leave']) {
    it(`says in '${verb}' that no daemon runs, and exits with 3`, async () => {
      const { exitCode, stdout, stderr } = await runCli([verb, '--data', '/nonexistent'])
      assert.equal(exitCode, 3)
      assert.equal(stdout, '')
      assert.match(stderr, /^p2pd: ERR_DAEMON_NOT_RUNNING: [^\n]*\/nonexistent; hint: [^\n]+\n$/)
    })
  }

  it('takes the data directory before or after the verb, and from P2PD_DATA', async () => {
    const results = await Promise.all([
      runCli(['--data', '/nonexistent/1', 'status']),
      runCli(['status', '--data=/nonexistent/2']),
      runCli(['status'], { env: { P2PD_DATA: '/nonexistent/3' } }),
      runCli(['status', '--data', '/nonexistent/4'], { env: { P2PD_DATA: '/nonexistent/3' } }),
      runCli(['peers', '--data', '/nonexistent/5', 'list']),
    ])
    results.forEach(({ stderr }, index) => {
      assert.match(stderr, new RegExp(`/nonexistent/${index + 1};`))
    })
  })
})

describe('a client command', () => {
  let daemon: FakeDaemon | undefined

  async function ask(
    listener: RequestListener,
    args: readonly string[],
    options: CliOptions = {},
  ): Promise<CliResult> {
    daemon = await startFakeDaemon(listener)
    return await runCli(args, { ...options, env: { P2PD_DATA: daemon.dataDir } })
  }

  afterEach(async () => {
    await daemon?.stop()
    daemon = undefined
  })

  it('prints with --json exactly what the daemon answers', async () => {
    const { exitCode, stdout, stderr } = await ask(answering(200, { name: 'm1', more: [1] }), [
      'status',
      '--json',
    ])
    assert.deepEqual(
      { exitCode, stdout, stderr },
      { exitCode: 0, stdout: '{"name":"m1","more":[1]}\n', stderr: '' },
    )
  })

  it('prints nothing but the invite', async () => {
    const { stdout, stderr } = await ask(answering(200, { invite: 'p2pd-invite-1:x' }), ['invite'])
    assert.deepEqual({ stdout, stderr }, { stdout: 'p2pd-invite-1:x\n', stderr: '' })
  })

  it('exits by the code that the daemon answers with', async () => {
    const error = { code: 'ERR_AMBIGUOUS_PEER', message: "'m' may be m1 or m2", hint: 'say more' }
    const { exitCode, stderr } = await ask(answering(409, { error }), ['ping', 'm'])
    assert.equal(exitCode, 2)
    assert.equal(stderr, "p2pd: ERR_AMBIGUOUS_PEER: 'm' may be m1 or m2; hint: say more\n")
  })

  it('counts lost round trips, and exits with 4 when all are lost', async () => {
    const error = { code: 'ERR_TIMEOUT', message: 'no answer', hint: null }
    const { exitCode, stdout } = await ask(answering(504, { error }), [
      'ping',
      'm2',
      '-c',
      '2',
      '-i',
      '1ms',
      '--json',
    ])
    assert.equal(exitCode, 4)
    const { sent, received, rttsMs } = JSON.parse(stdout)
    assert.deepEqual({ sent, received, rttsMs }, { sent: 2, received: 0, rttsMs: [null, null] })
  })

  it('sums a ping up when it is interrupted, and exits with 130', async () => {
    const pong = answering(200, { peerId: '12D3KooWabcdefgh', name: 'm2', rttMs: 0.5 })
    const { exitCode, stdout } = await ask(pong, ['ping', 'm2', '-i', '1m'], { interruptAt: 'seq=1' })
    assert.equal(exitCode, 130)
    assert.match(stdout, /1 sent, 1 received, 0% lost\n/)
  })

  it('names the candidates of an ambiguous name, and what they are', async () => {
    const error = {
      code: 'ERR_AMBIGUOUS_PEER',
      message: "2 members match 'm2'",
      hint: 'name one by more of its id',
      peers: [
        { peerId: '12D3KooWabcdefgh', name: 'm2', status: 'dead' },
        { peerId: '12D3KooWstuvwxyz', name: 'm2', status: 'alive' },
      ],
    }
    const { exitCode, stderr } = await ask(answering(409, { error }), ['force-leave', 'm2'])
    assert.equal(exitCode, 2)
    assert.match(stderr, /match 'm2': m2 \(12D3KooWabcd, dead\), m2 \(12D3KooWstuv\); hint: /)
  })

  it('exits with 1 when somebody does not answer, and prints the report all the same', async () => {
    const report = { asked: 1, answered: 0, gone: 0, members: [] }
    const { exitCode, stdout } = await ask(answering(200, report), ['reachability', '--json'])
    assert.deepEqual([exitCode, JSON.parse(stdout)], [1, report])
    await daemon?.stop()
    assert.equal((await ask(answering(200, { ...report, answered: 1 }), ['reachability'])).exitCode, 0)
  })

  it('asks for tags, changes them, and says when they do not last', async () => {
    const requests: unknown[] = []
    const listener: RequestListener = async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      requests.push([request.method, request.url, body])
      answering(200, { tags: { zone: 'eu 1', role: 'web' }, kept: false })(request, response)
    }
    const shown = await ask(listener, ['tags'])
    assert.deepEqual([shown.stdout, shown.stderr], ['role=web\nzone=eu 1\n', ''])
    await daemon?.stop()
    const changed = await ask(listener, ['tags', '--set', 'role=a=b', '--set', 'x=', '--delete', 'zone'])
    assert.match(changed.stderr, /^p2pd: the daemon was told its tags by flags/)
    await daemon?.stop()
    await ask(listener, ['members', '--tag', 'role=a b', '--tag', 'zone', '--json'])
    assert.deepEqual(requests, [
      ['GET', '/v1/tags', ''],
      ['POST', '/v1/tags', '{"set":{"role":"a=b","x":""},"delete":["zone"]}'],
      ['GET', '/v1/members?tag=role%3Da%20b&tag=zone', ''],
    ])
  })

  describe('that would cut somebody off', () => {
    const peers = { mode: 'list', allowed: [], denied: [] }
    const requests: unknown[] = []
    const listener: RequestListener = async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      requests.push(JSON.parse(body))
      const error = {
        code: 'ERR_WOULD_CUT_OFF',
        message: 'a member would lose contact',
        hint: null,
        peers: [{ peerId: '12D3KooWabcdefgh', name: 'm3' }],
      }
      if (JSON.parse(body).confirm) answering(200, peers)(request, response)
      else answering(409, { error })(request, response)
    }
    beforeEach(() => {
      requests.length = 0
    })

    it('says whom, and does nothing without --yes where nobody can be asked', async () => {
      const { exitCode, stdout, stderr } = await ask(listener, ['peers', 'allow', 'm1'])
      assert.equal(exitCode, 2)
      assert.equal(stdout, '')
      assert.match(stderr, /^p2pd: ERR_CONFIRM: .*m3 \(12D3KooWabcd\).*; hint: .*--yes.*\n$/)
      assert.deepEqual(requests, [{ peers: ['m1'], confirm: false }])
    })

    it('does it with --yes', async () => {
      const { exitCode, stdout } = await ask(listener, ['peers', 'allow', 'm1', '--yes', '--json'])
      assert.equal(exitCode, 0)
      assert.deepEqual(JSON.parse(stdout), peers)
      assert.deepEqual(requests, [{ peers: ['m1'], confirm: true }])
    })
  })

  describe('that watches', () => {
    const row = (name: string, status: string, fields: object = {}) => ({
      peerId: `12D3KooW${name}`,
      name,
      status,
      detail: null,
      reason: null,
      addresses: [],
      tags: {},
      accusers: [],
      ...fields,
    })
    const text = (event: string, data: unknown) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
    const snapshot = { members: [row('m1', 'alive'), row('m2', 'dead')] }

    function events(end: boolean): RequestListener {
      return (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(text('snapshot', snapshot))
        response.write(text('member', row('m1', 'suspect')) + text('member', row('m2', 'left')))
        if (end) response.end()
      }
    }

    it('prints the snapshot and then a row a line, and exits with 3 when the daemon ends', async () => {
      const { exitCode, stdout, stderr } = await ask(events(true), ['members', '--watch', '--json'])
      const lines = stdout.trim().split('\n')
      assert.deepEqual(
        lines.map((line) => JSON.parse(line)),
        [snapshot, row('m1', 'suspect'), row('m2', 'left')],
      )
      assert.equal(exitCode, 3)
      assert.equal(JSON.parse(stderr).error.code, 'ERR_CONNECTION_LOST')
    })

    it('shows only the status asked for', async () => {
      const { stdout } = await ask(events(true), ['members', '--watch', '--json', '--status', 'dead'])
      assert.deepEqual(JSON.parse(stdout), { members: [row('m2', 'dead')] })
    })

    it('shows only the tags asked for, and whose row is dropped', async () => {
      const tagged = row('m1', 'dead', { tags: { role: 'web' } })
      const listener: RequestListener = (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(text('snapshot', { members: [tagged, row('m2', 'alive')] }))
        response.write(text('member', row('m2', 'dead', { tags: { role: 'db' } })))
        response.end(text('member', { ...tagged, detail: 'reaped' }))
      }
      const { stdout } = await ask(listener, ['members', '--watch', '--json', '--tag', 'role=web'])
      assert.deepEqual(
        stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
        [{ members: [tagged] }, { ...tagged, detail: 'reaped' }],
      )
    })

    it('prints lines and no control codes where there is no terminal', async () => {
      const { stdout } = await ask(events(true), ['members', '--watch'])
      assert.match(
        stdout,
        /^\S+Z {2}m1 .*alive.*\n\S+Z {2}m2 .*dead.*\n\S+Z {2}m1 .*suspect.*\n\S+Z {2}m2 .*left.*\n$/,
      )
      assert.equal(stdout.includes('\x1b'), false)
    })

    const alone = { isolated: true, since: 1_700_000_000_000 }
    const isolated: RequestListener = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(text('snapshot', snapshot) + text('isolated', alone))
      response.end(text('isolated', { ...alone, isolated: false }))
    }

    it('prints that the daemon hears from nobody in a line that is no row, whatever rows are asked for', async () => {
      const { stdout } = await ask(isolated, ['members', '--watch', '--json', '--status', 'left'])
      assert.deepEqual(
        stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
        [{ members: [] }, { event: 'isolated', ...alone }, { event: 'isolated', ...alone, isolated: false }],
      )
    })

    it('says so in words to people', async () => {
      const { stdout } = await ask(isolated, ['members', '--watch', '--status', 'left'])
      assert.match(
        stdout,
        /^2023-11-14T22:13:20.000Z {2}isolated: no bytes from anybody.*\n\S+Z {2}no longer isolated\n$/,
      )
    })

    it('exits with 130 when interrupted, without a word', async () => {
      const { exitCode, stderr } = await ask(events(false), ['members', '--watch'], { interruptAt: 'left' })
      assert.deepEqual({ exitCode, stderr }, { exitCode: 130, stderr: '' })
    })

    it('ends quietly when nobody reads any more', async () => {
      const endless: RequestListener = (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(text('snapshot', snapshot))
        const timer = setInterval(() => response.write(text('member', row('m1', 'alive'))), 20)
        response.once('close', () => clearInterval(timer))
      }
      const { exitCode, stderr } = await ask(endless, ['members', '--watch'], { hangUpAt: 'm2' })
      assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: '' })
    })
  })
})

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { renderClock } from '../../bin/commands/clock.ts'
import { renderGroups } from '../../bin/commands/groups.ts'
import { run as pub } from '../../bin/commands/pub.ts'
import { renderMessage, renderNotice } from '../../bin/commands/sub.ts'
import type { Context } from '../../bin/context.ts'
import { patiently } from '../../bin/patience.ts'
import { uniqueNames } from '../../bin/peer-names.ts'
import { plain } from '../../bin/style.ts'
import type { GroupRow, MessageLine } from '../../daemon/control/schemas.ts'
import { answering, type FakeDaemon, startFakeDaemon } from '../daemon/client/fake-daemon.ts'
import { openControl, type TestControl } from '../daemon/support/control.ts'
import { author, type FakeGroup } from '../daemon/support/fake-groups.ts'
import { ids } from '../daemon/support/fake-peer.ts'
import { eventually } from '../support/eventually.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'
import { type CliOptions, type CliResult, runCli } from './run-cli.ts'

describe('a command about groups', () => {
  let control: TestControl

  beforeEach(async () => {
    control = await openControl()
  })
  afterEach(async () => {
    await control.plane.close()
    await removeTempDirs()
  })

  const ask = (args: readonly string[], options: CliOptions = {}): Promise<CliResult> =>
    runCli(args, { ...options, env: { P2PD_DATA: control.dataDir } })

  function published(group: string): (string | false)[] {
    const log = control.peer.logs.get(group)?.log ?? []
    return log.map((item) => item.type === 'message' && Buffer.from(item.data).toString('latin1'))
  }

  describe('that publishes', () => {
    it('sends its text, and prints which message that is', async () => {
      const { exitCode, stdout, stderr } = await ask(['pub', 'orders', 'naïve', '--json'])
      assert.equal(exitCode, 0, stderr)
      assert.deepEqual(JSON.parse(stdout), {
        group: 'orders',
        sender: author,
        epoch: 7,
        seq: 1,
        lamport: 11,
        vector: { [`${author}#7`]: 1 },
      })
      assert.equal(stderr, '')
      assert.deepEqual(published('orders'), [Buffer.from('naïve').toString('latin1')])
    })

    it('tells people on stderr', async () => {
      const { stdout, stderr } = await ask(['pub', 'orders', 'x'])
      assert.equal(stdout, '')
      assert.equal(stderr, 'published to orders: message 1 of epoch 7, lamport 11\n')
    })

    for (const args of [
      ['pub', 'g'],
      ['pub', 'g', '-'],
    ]) {
      it(`takes all of stdin as one message, byte for byte: p2pd ${args.join(' ')}`, async () => {
        const bytes = Buffer.from([0, 255, 10, 13, 10, 65, 10])
        assert.equal((await ask(args, { stdin: bytes })).exitCode, 0)
        assert.deepEqual(published('g'), [bytes.toString('latin1')])
      })
    }

    it('takes a message a line with --lines, the last one also without an end', async () => {
      const { stdout } = await ask(['pub', 'g', '--lines', '--json'], { stdin: 'a\n\nb\r\nc' })
      assert.deepEqual(published('g'), ['a', '', 'b\r', 'c'])
      const seqs = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).seq)
      assert.deepEqual(seqs, [1, 2, 3, 4])
      const { stderr } = await ask(['pub', 'g', '-l'], { stdin: 'a\nb\n' })
      assert.equal(stderr, 'published 2 messages to g\n')
    })

    it('publishes a line when it is there, and exits with 130 on Ctrl-C', async () => {
      const { exitCode, stdout, stderr } = await ask(['pub', 'g', '--lines', '--json'], {
        stdin: 'a\n',
        stdinStaysOpen: true,
        interruptAt: '"seq":1',
      })
      assert.deepEqual({ exitCode, stderr }, { exitCode: 130, stderr: '' })
      assert.equal(JSON.parse(stdout).seq, 1)
    })

    it('publishes nothing where stdin is empty, unless it is named', async () => {
      const { exitCode, stderr } = await ask(['pub', 'g'], { stdin: '' })
      assert.equal(exitCode, 2)
      assert.match(stderr, /^p2pd: ERR_USAGE: stdin is empty; hint: [^\n]+\n$/)
      assert.equal(control.peer.logs.has('g'), false)
      assert.equal((await ask(['pub', 'g', '-'], { stdin: '' })).exitCode, 0)
      assert.equal((await ask(['pub', 'g', ''])).exitCode, 0)
      assert.deepEqual(published('g'), ['', ''])
    })

    it('does not wait for somebody to type unless it is asked to', async () => {
      const { signal } = new AbortController()
      const context = { stdin: { isTTY: true }, dataDir: control.dataDir, signal } as unknown as Context
      await assert.rejects(pub(context, ['g'], {}), { code: 'ERR_USAGE' })
    })

    it('refuses lines where there is a text', async () => {
      assert.equal((await ask(['pub', 'g', 'x', '--lines'])).exitCode, 2)
    })

    it('says how far it came when a line is refused', async () => {
      const long = 'a'.repeat(1024 * 1024 + 1)
      const { exitCode, stdout, stderr } = await ask(['pub', 'g', '--lines', '--json'], {
        stdin: `one\ntwo\n${long}\nafter\n`,
      })
      assert.deepEqual([exitCode, stdout.trimEnd().split('\n').length], [1, 2])
      const { code, message, hint } = JSON.parse(stderr).error
      assert.equal(code, 'ERR_TOO_LARGE')
      assert.equal(message, 'line 3: a message holds at most 1048576 bytes; published before: 2 messages')
      assert.match(hint, /split it/)
      assert.deepEqual(published('g'), ['one', 'two'])
    })

    for (const [what, args, where] of [
      ['in all', ['pub', 'g'], ''],
      ['in a line', ['pub', 'g', '--lines'], 'line 1: '],
    ] as const) {
      it(`refuses more than 1 MiB ${what} before anything is sent`, async () => {
        const most = 'a'.repeat(1024 * 1024)
        const { exitCode, stderr } = await ask(args, { stdin: `${most}b`, stdinStaysOpen: true })
        assert.equal(exitCode, 1)
        const says = `p2pd: ERR_TOO_LARGE: ${where}a message holds at most 1048576 bytes; hint: split it`
        assert.ok(stderr.startsWith(says), stderr)
        assert.equal(control.peer.logs.has('g'), false)
        assert.equal((await ask(args, { stdin: most })).exitCode, 0)
        assert.equal(published('g')[0], most)
      })
    }
  })

  for (const args of [
    ['pub', 'a b', 'x'],
    ['sub', 'a b'],
    ['groups', 'leave', 'a b'],
    ['clock', '-g', 'a b'],
  ]) {
    it(`refuses a name that no group can have: p2pd ${args.join(' ')}`, async () => {
      const { exitCode, stderr } = await ask(args)
      assert.equal(exitCode, 2)
      assert.equal(
        stderr,
        "p2pd: ERR_BAD_GROUP: 'a b' is no name of a group; hint: 1 to 64 printable ASCII characters, and no space among them\n",
      )
    })
  }

  for (const args of [
    ['groups', 'leave', 'none'],
    ['clock', '-g', 'none'],
  ]) {
    it(`says that the daemon is not in the group: p2pd ${args.join(' ')}`, async () => {
      const { exitCode, stderr } = await ask(args)
      assert.equal(exitCode, 2)
      assert.match(stderr, /^p2pd: ERR_BAD_GROUP: this peer is not in group 'none'; hint: [^\n]+\n$/)
    })
  }

  describe('that reads', () => {
    let group: FakeGroup
    beforeEach(async () => {
      group = await control.peer.group('g')
    })
    const deliver = (...texts: readonly string[]): void => {
      for (const text of texts) group.deliver(Buffer.from(text))
    }

    it('prints an object a delivery, and ends after as many as asked', async () => {
      deliver('a', 'b', 'c')
      const { exitCode, stdout, stderr } = await ask(['sub', 'g', '--from', 'earliest', '-c', '2', '--json'])
      assert.equal(exitCode, 0, stderr)
      const [first, second, ...more] = stdout.trimEnd().split('\n')
      assert.deepEqual(more, [])
      assert.deepEqual(JSON.parse(first ?? ''), {
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
      })
      assert.equal(JSON.parse(second ?? '').data, 'b')
    })

    it('begins after a cursor, and leaves vectors out', async () => {
      deliver('a', 'b')
      const { stdout } = await ask(['sub', 'g', '--from', 'c1', '--count', '1', '--no-vector', '--json'])
      const { data, vector } = JSON.parse(stdout)
      assert.deepEqual({ data, vector }, { data: 'b', vector: undefined })
    })

    it('prints one line a message that no message can repaint, and everything else on stderr', async () => {
      deliver('plain', '\x1b[2J\x1b[Hp2pd: all is well\r\n  second\tline \u202egnp.exe')
      const ranges = [{ sender: ids[2], epoch: 3, from: 4, to: 6 }]
      group.add({ type: 'gap', group: 'g', ranges })
      group.deliver(Buffer.from([0xff, 0x1b]))
      deliver('end\n')
      const { stdout, stderr } = await ask(['sub', 'g', '--from', 'earliest', '-c', '4'])
      assert.deepEqual(stdout.split('\n'), [
        'm1  plain',
        'm1  \\x1b[2J\\x1b[Hp2pd: all is well\\r\\n  second\\tline \\u{202e}gnp.exe',
        'm1  base64 /xs=',
        'm1  end',
        '',
      ])
      assert.equal(stderr, "p2pd: gap: m2's messages 4 to 6 of epoch 3 in g are missing, and being fetched\n")
    })

    it('prints with --json what is no delivery in its place', async () => {
      const event = { group: 'g', sender: author, epoch: 1, seq: 2 }
      group.add({ type: 'undeliverable', ...event })
      deliver('a')
      const { stdout } = await ask(['sub', 'g', '--from', 'earliest', '-c', '1', '--json'])
      const [first, second] = stdout.trimEnd().split('\n')
      assert.deepEqual(JSON.parse(first ?? ''), { event: 'undeliverable', ...event })
      assert.equal(JSON.parse(second ?? '').data, 'a')
    })

    it('exits with 130 when interrupted, without a word', async () => {
      deliver('a')
      const { exitCode, stderr } = await ask(['sub', 'g', '--from', 'earliest'], { interruptAt: 'm1  a' })
      assert.deepEqual({ exitCode, stderr }, { exitCode: 130, stderr: '' })
    })

    it('exits with 3 when the daemon ends, and says how to go on once it runs again', async () => {
      deliver('a', 'b')
      const close = () => void control.plane.close()
      const { exitCode, stdout, stderr } = await ask(['sub', 'g', '--from', 'c1', '-c', '9'], {
        onceSaid: { text: 'm1  b\n', act: close },
      })
      assert.deepEqual([exitCode, stdout], [3, 'm1  b\n'])
      // A cursor would be refused then.
      const again = `p2pd sub g --data ${control.dataDir} --from earliest --count 8`
      assert.equal(
        stderr,
        `p2pd: ERR_CONNECTION_LOST: the daemon ended; hint: when it runs again, this prints what came since: ${again}\n`,
      )
    })

    it('says that the group was left', async () => {
      deliver('a')
      const reading = ask(['sub', 'g', '--from', 'earliest'])
      await eventually('it has read', () => group.taken === 1)
      assert.equal((await ask(['groups', 'leave', 'g'])).stderr, 'left g\n')
      const { exitCode, stderr } = await reading
      assert.equal(exitCode, 1)
      assert.equal(
        stderr,
        "p2pd: ERR_GROUP_LEFT: this peer has left group 'g'; hint: to join it again: p2pd sub g\n",
      )
    })

    it('says that the log has moved on', async () => {
      deliver('a', 'b', 'c')
      group.floor = 3
      const { exitCode, stderr } = await ask(['sub', 'g', '--from', 'c1'])
      assert.equal(exitCode, 1)
      assert.match(stderr, /^p2pd: ERR_CURSOR_UNKNOWN: /)
    })

    for (const order of ['fifo', 'total']) {
      it(`refuses ${order} order, also where no daemon runs`, async () => {
        const { exitCode, stderr } = await runCli(['sub', 'g', '--order', order])
        assert.equal(exitCode, 2)
        assert.match(stderr, /^p2pd: ERR_ORDER_UNAVAILABLE: .*; hint: [^\n]+\n$/)
      })
    }

    it('takes causal order, and refuses one that there is not', async () => {
      deliver('a')
      const args = ['sub', 'g', '--from', 'earliest', '-c', '1', '--order']
      assert.equal((await ask([...args, 'causal'])).stdout, 'm1  a\n')
      const { exitCode, stderr } = await ask([...args, 'random'])
      assert.equal(exitCode, 2)
      assert.match(stderr, /^p2pd: ERR_USAGE: /)
    })
  })

  it('lists groups', async () => {
    await (await control.peer.group('orders')).publish('x')
    const { stdout } = await ask(['groups', '--json'])
    const { groups } = JSON.parse(stdout)
    assert.deepEqual(
      groups.map(({ name }: GroupRow) => name),
      ['all', 'orders'],
    )
    assert.match((await ask(['groups'])).stdout, /^GROUP .*\nall .*\norders {2}yes /)
  })

  it('leaves a group that it is in', async () => {
    await control.peer.group('orders')
    const { stdout } = await ask(['groups', 'leave', 'orders', '--json'])
    assert.deepEqual(JSON.parse(stdout), { group: 'orders', left: true })
    const again = await ask(['groups', 'leave', 'orders'])
    assert.equal(again.exitCode, 2)
    assert.match(again.stderr, /^p2pd: ERR_BAD_GROUP: /)
    assert.equal((await ask(['groups', 'leaf', 'orders'])).exitCode, 2)
  })

  it('reads the clocks', async () => {
    const { stdout } = await ask(['clock', '--json'])
    assert.deepEqual(Object.keys(JSON.parse(stdout)), ['lamport', 'group', 'vector', 'hlc', 'network'])
    assert.equal(
      (await ask(['clock'])).stdout,
      [
        'lamport  12',
        'hybrid   1700000000000.00001  2023-11-14T22:13:20.000Z',
        'network  unsynchronised',
        'group    all',
        'vector   m1#7  3',
        '',
      ].join('\n'),
    )
  })

  it('reads the clocks again and again', async () => {
    const { exitCode, stdout, stderr } = await ask(['clock', '--watch', '--json'], { interruptAt: '}\n{' })
    assert.deepEqual({ exitCode, stderr }, { exitCode: 130, stderr: '' })
    assert.equal(stdout.trimEnd().split('\n').length, 2)
  })

  it('prints the trace as JSON lines', async () => {
    const event = { group: 'all', host: ids[0], hostEpoch: 7, sender: author, epoch: 7, seq: 1, time: 5 }
    control.peer.events = [
      { ...event, index: 1, kind: 'deliver', after: [] },
      { ...event, index: 2, kind: 'deliver', after: [`${author}#7:1`] },
    ]
    const { stdout } = await ask(['trace'])
    assert.deepEqual(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
      control.peer.events,
    )
    assert.equal((await ask(['trace', '--group', 'other'])).stdout, '')
    const drawn = await ask(['trace', '--shiviz'])
    assert.match(drawn.stdout, /^m0 \{.*"m0":1.*\}\ndeliver m1#7:1$/m)
  })
})

describe('the trace of several daemons', () => {
  const [m1, m2] = ids
  const event = (host: string, index: number, kind: 'publish' | 'deliver', sender: string, seq: number) =>
    JSON.stringify({
      ...{ group: 'g', host, hostEpoch: 1, index, kind, sender, epoch: 1, seq, time: index },
      after: seq === 1 && sender === m2 ? [`${m1}#1:1`] : [],
    })
  const first = [event(m1, 1, 'publish', m1, 1), event(m1, 2, 'deliver', m2, 1)]
  const second = [event(m2, 1, 'deliver', m1, 1), event(m2, 2, 'publish', m2, 1)]
  let files: string[]

  beforeEach(async () => {
    const folder = await tempDir()
    files = [join(folder, 'm1.jsonl'), join(folder, 'm2.jsonl'), join(folder, 'wrong')]
    for (const [at, text] of [first.join('\n'), second.join('\n'), '{"group":"g"}'].entries()) {
      await writeFile(files[at] ?? '', `${text}\n`)
    }
  })
  afterEach(removeTempDirs)

  it('is drawn for ShiViz without a daemon', async () => {
    const { exitCode, stdout, stderr } = await runCli(['trace', '--shiviz', ...files.slice(0, 2)])
    assert.equal(exitCode, 0, stderr)
    const [pattern, delimiter, ...lines] = stdout.split('\n')
    assert.equal(pattern, '(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)')
    assert.equal(delimiter, '')
    // As 'p2pd members' shows them.
    const [h1, h2] = [m1.slice(0, 12), m2.slice(0, 12)]
    assert.ok(lines.includes(`${h1} {"${h1}":2,"${h2}":2}`), stdout)
    assert.ok(lines.includes(`deliver ${h2}#1:1`), stdout)
    const { shiviz } = JSON.parse(
      (await runCli(['trace', '--shiviz', '--json', ...files.slice(0, 2)])).stdout,
    )
    assert.equal(shiviz, stdout)
  })

  it('is drawn with the names that a daemon knows, where one runs', async () => {
    const daemon = await startFakeDaemon(answering(200, { members: [{ peerId: m2, name: 'm2' }] }))
    const { stdout } = await runCli(['trace', '--shiviz', '--data', daemon.dataDir, ...files.slice(0, 2)])
    await daemon.stop()
    const h1 = m1.slice(0, 12)
    assert.ok(stdout.includes(`\n${h1} {"${h1}":2,"m2":2}\ndeliver m2#1:1\n`), stdout)
  })

  it('is joined to one, of the group that is asked for', async () => {
    const { stdout } = await runCli(['trace', ...files.slice(0, 2)])
    assert.deepEqual(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
      [...first, ...second].map((line) => JSON.parse(line)),
    )
    assert.equal((await runCli(['trace', '-g', 'other', ...files.slice(0, 2)])).stdout, '')
  })

  it('is refused when it is none', async () => {
    const { exitCode, stdout, stderr } = await runCli(['trace', '--shiviz', ...files])
    assert.deepEqual([exitCode, stdout], [2, ''])
    assert.match(stderr, /^p2pd: ERR_TRACE: \S+\/wrong: line 1 has no 'kind' [^\n]+; hint: [^\n]+\n$/)
    const missing = await runCli(['trace', '/nonexistent/m1.jsonl'])
    assert.equal(missing.exitCode, 2)
    assert.match(missing.stderr, /^p2pd: ERR_TRACE: [^\n]*ENOENT/)
  })
})

describe('publishing to a daemon that misbehaves', () => {
  let daemon: FakeDaemon | undefined
  afterEach(async () => {
    await daemon?.stop()
    daemon = undefined
  })

  it('says how far it came, and that the last message is in doubt', async () => {
    let requests = 0
    daemon = await startFakeDaemon((request, response) => {
      requests += 1
      if (requests === 3) return void response.destroy()
      request.resume().on('end', () => response.end('{}'))
    })
    const { exitCode, stderr } = await runCli(['pub', 'g', '--lines', '--data', daemon.dataDir], {
      stdin: 'a\nb\nc\nd\n',
    })
    assert.equal(exitCode, 3)
    const says = /^p2pd: ERR_CONNECTION_LOST: [^\n]* hung up; published before: 2 messages; hint: [^\n]*\n$/
    assert.match(stderr, says)
    assert.match(stderr, /; the message may be published all the same\n$/)
    assert.equal(requests, 3)
  })

  describe('that keeps one waiting', () => {
    const listen = (json: boolean) => {
      const said: string[] = []
      const stderr = { write: (text: string) => said.push(text) > 0 }
      return { said, context: { json, stderr } }
    }

    it('says so once, and gives the answer all the same', async () => {
      const { said, context } = listen(false)
      const answer = eventually('it is said', () => said.length > 0).then(() => 'answer')
      assert.equal(await patiently(context, answer, 1), 'answer')
      assert.deepEqual(said, ['p2pd: the daemon does not answer yet\n'])
    })

    it('says nothing with --json, nor when the answer comes in time', async () => {
      const silent = listen(true)
      assert.equal(await patiently(silent.context, delay(5, 'late'), 1), 'late')
      const quick = listen(false)
      assert.equal(await patiently(quick.context, Promise.resolve('now'), 1), 'now')
      await assert.rejects(patiently(quick.context, Promise.reject(new Error('no')), 1), { message: 'no' })
      // Timers fire in order: one that still ran would have by then.
      await delay(5)
      assert.deepEqual([silent.said, quick.said], [[], []])
    })
  })
})

describe('reading a group from a daemon that misbehaves', () => {
  let daemon: FakeDaemon | undefined
  afterEach(async () => {
    await daemon?.stop()
  })

  async function read(write: (response: Parameters<RequestListener>[1]) => void): Promise<CliResult> {
    daemon = await startFakeDaemon((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      write(response)
    })
    return await runCli(['sub', 'g', '--json'], { env: { P2PD_DATA: daemon.dataDir } })
  }

  it('shows the beginning of an id where names cannot be had', async () => {
    const message = { sender: author, data: 'x', encoding: 'utf8' }
    daemon = await startFakeDaemon((request, response) => {
      if (!request.url?.startsWith('/v1/groups/')) return void response.destroy()
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
    })
    const { stdout } = await runCli(['sub', 'g', '-c', '1'], { env: { P2PD_DATA: daemon.dataDir } })
    assert.equal(stdout, `${author.slice(0, 12)}  x\n`)
  })

  it('outlives its heartbeats, and prints events that it does not know', async () => {
    const { exitCode, stdout, stderr } = await read((response) => {
      response.write(':\n\n')
      response.write('event: later\ndata: {"event":"later"}\n\n', () => {
        response.end(':\n\nid: c\nevent: message\ndata: {"cursor":"a b"}\n\n:\n\n')
      })
    })
    assert.equal(stdout, '{"event":"later"}\n{"cursor":"a b"}\n')
    assert.equal(exitCode, 3)
    assert.equal(JSON.parse(stderr).error.code, 'ERR_CONNECTION_LOST')
  })

  describe('goes on after the last message when the connection breaks, but the daemon lives', () => {
    async function breakAfter(text: string, args: (dataDir: string) => readonly string[]) {
      daemon = await startFakeDaemon((request, response) => {
        if (request.url === '/readyz') return void response.end('{"status":"ready"}')
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(text, () => response.destroy())
      })
      const { dataDir } = daemon
      const { exitCode, stderr } = await runCli(args(dataDir), { env: { P2PD_DATA: dataDir } })
      assert.equal(exitCode, 3)
      return { dataDir, stderr }
    }

    it('where one was read', async () => {
      const { dataDir, stderr } = await breakAfter(
        'id: c2\nevent: message\ndata: {"cursor":"c2"}\n\n',
        (dir) => ['sub', '--from', 'earliest', '--no-vector', '--json', '--data', dir, '--', '-g'],
      )
      const { code, hint } = JSON.parse(stderr).error
      assert.equal(code, 'ERR_CONNECTION_LOST')
      assert.equal(hint, `go on with: p2pd sub --data ${dataDir} --from c2 --no-vector --json -- -g`)
    })

    it('else where it began', async () => {
      const { dataDir, stderr } = await breakAfter(':\n\n', () => ['sub', "it's", '--from', 'c 1'])
      const again = `p2pd sub 'it'\\''s' --data ${dataDir} --from 'c 1'`
      assert.equal(
        stderr,
        `p2pd: ERR_CONNECTION_LOST: the connection to the daemon broke; hint: go on with: ${again}\n`,
      )
    })
  })
})

describe('what is shown of groups', () => {
  const row = (fields: Partial<GroupRow>): GroupRow => ({
    name: 'g',
    joined: true,
    ready: true,
    members: [],
    delivered: 0,
    heldBack: 0,
    logMessages: 0,
    logBytes: 0,
    ...fields,
  })

  it('is a table with what each holds, and less of those that others are in', () => {
    const rows = [
      row({ name: 'all', members: ['a', 'b'], delivered: 12, logMessages: 3, logBytes: 1536 }),
      row({ name: 'late', ready: false, heldBack: 2, logMessages: 1 }),
      row({ name: 'theirs', joined: false, ready: null, members: ['a'] }),
    ]
    assert.deepEqual(renderGroups(rows, plain), [
      'GROUP   HERE         MEMBERS  DELIVERED  HELD BACK  LOG',
      'all     yes          2        12         0          3 messages, 1.50 KiB',
      'late    catching up  0        0          2          1 message, 0 B',
      'theirs  no           1        -          -          -',
    ])
  })

  it('names every notice', async () => {
    const dot = { group: 'g', sender: author, epoch: 1, seq: 2 }
    const range = { sender: author, epoch: 1, from: 2, to: 3 }
    const name = async () => 'm\x1b1'
    const notices = [
      { event: 'gap', group: 'g', ranges: [range, { ...range, to: 2 }] },
      { event: 'history-truncated', group: 'g', ranges: [range, { ...range, from: 3 }] },
      { event: 'undeliverable', ...dot },
      { event: 'equivocation', ...dot, hashes: ['aa', 'bb'] },
    ] as const
    const lines = []
    for (const notice of notices) lines.push(...(await renderNotice({ ...notice } as never, name)))
    assert.deepEqual(lines, [
      "gap: m?1's messages 2 to 3 of epoch 1 in g are missing, and being fetched",
      "gap: m?1's message 2 of epoch 1 in g is missing, and being fetched",
      "history-truncated: m?1's messages 2 to 3 of epoch 1 in g are lost: nobody has them any more",
      "history-truncated: m?1's message 3 of epoch 1 in g is lost: nobody has it any more",
      "undeliverable: m?1's message 2 of epoch 1 in g waits for one that did not come",
      "equivocation: m?1's message 2 of epoch 1 in g was signed with two contents",
    ])
  })

  it('is never a control character of a message or of a name', () => {
    const line = (data: string): MessageLine => ({
      group: 'g',
      sender: author,
      epoch: 1,
      seq: 1,
      lamport: 1,
      hlc: null,
      index: 1,
      cursor: 'c1',
      data,
      encoding: 'utf8',
    })
    assert.equal(renderMessage(line('a\u2028\u009bb\n\n'), 'm\n1', plain), 'm?1  a\\u{2028}\\x9bb\\n')
  })

  it('is a name where it belongs to one peer alone, else the beginning of an id', () => {
    const names = uniqueNames([
      { peerId: ids[0], name: 'm1' },
      { peerId: ids[1], name: 'm1' },
      { peerId: ids[2], name: 'm3' },
    ])
    assert.deepEqual([...names.values()], [ids[0].slice(0, 12), ids[1].slice(0, 12), 'm3'])
  })

  it('is a vector that is empty, and a time beyond all dates', () => {
    const network = {
      state: 'unsynchronised',
      scope: 'internal',
      timeline: null,
      faultsTolerated: null,
    } as const
    const figures = {
      earliestMs: null,
      latestMs: null,
      offsetMs: null,
      uncertaintyMs: null,
      peers: 0,
    } as const
    const clock = {
      lamport: 0,
      group: 'g',
      vector: {},
      hlc: '281474976710655.00000',
      network: { ...network, ...figures },
    }
    assert.deepEqual(renderClock(clock, []), [
      'lamport  0',
      'hybrid   281474976710655.00000  +010889-08-02T05:31:50.655Z',
      'network  unsynchronised',
      'group    g',
      'vector   empty',
    ])
  })
})

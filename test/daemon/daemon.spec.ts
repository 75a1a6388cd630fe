import assert from 'node:assert/strict'
import { chmod, cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ControlClient } from '../../daemon/client/client.ts'
import { eventually } from '../support/eventually.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'
import { exitOf, killDaemons, spawnDaemon, startDaemon } from './support/daemon-process.ts'
import { call, openStream } from './support/raw-http.ts'

describe('a daemon', () => {
  afterEach(async () => {
    await killDaemons()
    await removeTempDirs()
  })

  async function invite(dataDir: string): Promise<string> {
    return (await ControlClient.open(dataDir).invite()).invite
  }

  it('founds on an empty directory, ends on SIGTERM, and is back with no flags as who it was', async () => {
    const data = await tempDir()
    const first = await startDaemon(data, { args: ['--name', 'm1', '--cluster', 'shop'] })
    assert.equal(first.ready.cluster, 'shop')
    const client = ControlClient.open(data)
    assert.equal((await client.status()).pid, first.pid)
    assert.equal(await client.isReady(), true)
    first.child.kill('SIGTERM')
    assert.equal(await first.ended(), 0)
    assert.deepEqual((await readdir(data)).sort(), [
      'cluster.json',
      'cluster.secret',
      'identity.key',
      'lock',
      'peer.json',
      'store',
    ])

    const second = await startDaemon(data, { env: { P2PD_LISTEN: '' } })
    const { control, ...again } = second.ready
    const { control: _before, ...before } = first.ready
    assert.deepEqual(again, before)
    assert.equal(control, join(data, 'control.sock'))
  })

  it('says in words that it is ready and how to invite, when nobody asked for JSON', async () => {
    const data = await tempDir()
    const { child, stdout, stderr } = spawnDaemon(data, ['--name', 'm1', '--log', 'error'])
    await eventually('it is ready', () => stderr().includes('invite'))
    assert.match(
      stderr(),
      /^ready: m1 \(12D3\w+\) founded cluster p2pd, listening at \/ip4\/127\.0\.0\.1\/tcp\/\d+/,
    )
    assert.ok(stderr().includes(`p2pd --data ${data} invite > invite.txt`))
    child.kill('SIGINT')
    assert.equal(await exitOf(child), 130)
    assert.equal(stdout(), '')
  })

  it('never tells the secret, in no log at any level and in no answer but the invite', async () => {
    const data = await tempDir()
    const { child, ready, stdout, stderr, ended } = await startDaemon(data, { args: ['--log', 'trace'] })
    const place = { socketPath: ready.control }
    const answers = await Promise.all(
      ['/v1/status', '/v1/members', '/v1/peers', '/metrics', '/v1/openapi.json'].map((path) =>
        call(place, path),
      ),
    )
    const environment = await readFile(`/proc/${child.pid}/environ`, 'utf8').catch(() => '')
    const line = await readFile(`/proc/${child.pid}/cmdline`, 'utf8').catch(() => '')
    child.kill('SIGTERM')
    await ended()
    const said = [stdout(), stderr(), environment, line, ...answers.map(({ body }) => body)].join('\n')
    const secret = Buffer.from((await readFile(join(data, 'cluster.secret'), 'utf8')).trim(), 'base64')
    assert.equal(secret.length, 32)
    for (const encoding of ['base64', 'base64url', 'hex', 'latin1'] as const) {
      assert.equal(said.includes(secret.toString(encoding).replace(/=+$/, '')), false, encoding)
    }
  })

  it('is alone on its data directory, and can be started again after SIGKILL', async () => {
    const data = await tempDir()
    const first = await startDaemon(data)
    const second = spawnDaemon(data, [])
    assert.equal(await exitOf(second.child), 1)
    assert.match(
      second.stderr(),
      new RegExp(`^p2pd: ERR_ALREADY_RUNNING: .*pid ${first.pid}.*; hint: [^\\n]+\\n$`),
    )
    assert.equal((await ControlClient.open(data).status()).pid, first.pid)
    first.child.kill('SIGKILL')
    await first.ended()
    const third = await startDaemon(data)
    assert.equal(third.ready.peerId, first.ready.peerId)
    assert.deepEqual(third.ready.addresses, first.ready.addresses)
  })

  it('lets another in by invite, tells of its own end, and forgets nobody', async () => {
    const [a, b] = [await tempDir(), await tempDir()]
    const founder = await startDaemon(a, { args: ['--name', 'a'] })
    const line = await invite(a)
    const file = join(await tempDir(), 'invite.txt')
    await writeFile(file, `${line}\n`)
    await chmod(file, 0o644)
    const joiner = await startDaemon(b, { args: ['--name', 'b', '--invite', file] })
    assert.match(joiner.stderr(), /can be read by other users/)
    assert.equal(joiner.ready.cluster, founder.ready.cluster)
    const [atA, atB] = [ControlClient.open(a), ControlClient.open(b)]
    await eventually('both see both', async () =>
      (await Promise.all([atA.status(), atB.status()])).every(({ members }) => members.alive === 2),
    )
    assert.ok((await atA.ping({ peer: 'b' })).rttMs > 0)

    founder.child.kill('SIGTERM')
    assert.equal(await founder.ended(), 0)
    const gone = (await atB.members()).members.find(({ name }) => name === 'a')
    assert.deepEqual([gone?.status, gone?.reason], ['left', 'stopping'])

    await startDaemon(a)
    await eventually('a is back', async () => (await atB.status()).members.alive === 2)
    // The invite again, through standard input this time, changes nothing.
    joiner.child.kill('SIGTERM')
    await joiner.ended()
    const again = await startDaemon(b, { args: ['--invite', '-'], stdin: `# from a\n${line}\n` })
    assert.equal(again.ready.name, 'b')
    await eventually('b is back', async () => (await atA.status()).members.alive === 2)

    assert.deepEqual(await atB.leave(), { left: true })
    assert.equal(await again.ended(), 0)
    const left = (await atA.members()).members.find(({ name }) => name === 'b')
    assert.deepEqual([left?.status, left?.reason], ['left', 'leaving'])
  })

  it('ends in time although a client reads nothing and another asks for ever', async () => {
    const data = await tempDir()
    const { ready, child, ended } = await startDaemon(data)
    const stream = await openStream({ socketPath: ready.control }, '/v1/members/events')
    stream.response.pause()
    stream.request.on('error', () => {})
    stream.response.on('error', () => {})
    const asking = call({ socketPath: ready.control }, '/v1/join', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ addresses: ['/ip4/192.0.2.1/tcp/1'], timeoutMs: 60_000 }),
    }).catch(() => 'cut')
    const begun = performance.now()
    child.kill('SIGTERM')
    assert.equal(await ended(), 0)
    assert.ok(performance.now() - begun < 5000)
    await asking
  })

  it('stops when another process begins to live with its identity', async () => {
    const [a, b, copy] = [await tempDir(), await tempDir(), join(await tempDir(), 'copy')]
    await startDaemon(a, { args: ['--name', 'a'] })
    const joiner = await startDaemon(b, { args: ['--name', 'b', '--invite', '-'], stdin: await invite(a) })
    joiner.child.kill('SIGTERM')
    await joiner.ended()
    await cp(b, copy, { recursive: true })
    const original = await startDaemon(b)
    const clone = spawnDaemon(copy, ['--listen', '/ip4/127.0.0.2/tcp/0', '--json'])
    // The later life is the one that the others believe.
    assert.equal(await original.ended(), 1)
    assert.match(
      original.stderr(),
      /\{"error":\{"code":"ERR_IDENTITY_IN_USE","message":"[^"]+","hint":"[^"]+"\}\}\n$/,
    )
    assert.equal(clone.child.exitCode, null)
    assert.equal((await ControlClient.open(a).status()).members.alive, 2)
  })
})

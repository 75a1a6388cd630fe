import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DaemonProcess } from '../../testnet/cluster/process.ts'
import { Reaper } from '../../testnet/cluster/reaper.ts'
import { eventually } from '../support/eventually.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'
import { type CliResult, runCli } from './run-cli.ts'

const program = fileURLToPath(new URL('../../bin/p2pd.js', import.meta.url))

/** Each step builds on the one before, as an operator's do. */
describe('two machines, from founding to leaving', function () {
  this.timeout(60_000)
  let reaper: Reaper
  let folder: string
  const daemons = new Map<string, DaemonProcess>()

  async function start(name: string, ...args: readonly string[]): Promise<DaemonProcess> {
    const daemon = DaemonProcess.start({
      name,
      program,
      args: ['--data', join(folder, name), '--json', '--log', 'warn', ...args],
      logPath: join(folder, `${name}.log`),
      env: { PATH: process.env.PATH, HOME: folder },
      reaper,
    })
    daemons.set(name, daemon)
    await daemon.ready(20_000, new AbortController().signal)
    return daemon
  }

  const first = ['--name', 'm1', '--profile', 'local', '--listen', '/ip4/127.0.0.1/tcp/0']
  const second = ['--name', 'm2', '--profile', 'local', '--listen', '/ip4/127.0.0.1/tcp/0']
  const tags = ['--tag', 'role=web', '--tag', 'zone=eu-1']
  const ask = (name: string, ...args: readonly string[]): Promise<CliResult> =>
    runCli([...args, '--data', join(folder, name)])
  const askJson = async (name: string, ...args: readonly string[]) => {
    const { exitCode, stdout, stderr } = await ask(name, ...args, '--json')
    assert.equal(exitCode, 0, stderr)
    return JSON.parse(stdout)
  }
  const statusAt = async (observer: string, subject: string): Promise<string | undefined> => {
    const { members } = await askJson(observer, 'members')
    return members.find(({ name }: { name: string }) => name === subject)?.status
  }

  before(async () => {
    reaper = Reaper.start()
    folder = await tempDir()
  })
  after(async () => {
    await reaper.close()
    await removeTempDirs()
  })

  it('founds a cluster and tells its state', async () => {
    const { pid } = await start('m1', '--cluster', 'shop', ...first)
    const status = await askJson('m1', 'status')
    assert.equal(status.pid, pid)
    assert.equal(status.cluster, 'shop')
    assert.deepEqual(status.members, { alive: 1, suspect: 0, dead: 0, left: 0 })
    assert.ok(Array.isArray(status.quorum.voters) && typeof status.quorum.reachable === 'boolean')
    assert.deepEqual(status.locks, { held: 0, waiting: 0 })
  })

  it('refuses a second daemon on the same data directory, and names the first', async () => {
    const { exitCode, stderr } = await ask('m1', '--json')
    assert.equal(exitCode, 1)
    const { code, message } = JSON.parse(stderr).error
    assert.equal(code, 'ERR_ALREADY_RUNNING')
    assert.ok(message.includes(String(daemons.get('m1')?.pid)))
  })

  it('lets another machine in by an invite', async () => {
    const { stdout } = await ask('m1', 'invite')
    assert.match(stdout, /^\S+\n$/)
    const invite = join(folder, 'invite.txt')
    await writeFile(invite, stdout, { mode: 0o600 })
    await start('m2', '--invite', invite, ...second, ...tags)
    await eventually('both show both alive', async () => {
      return (await statusAt('m1', 'm2')) === 'alive' && (await statusAt('m2', 'm1')) === 'alive'
    })
  })

  it('measures a round trip', async () => {
    const { name, sent, received, minMs } = await askJson('m1', 'ping', 'm2', '--count', '1')
    assert.deepEqual({ name, sent, received }, { name: 'm2', sent: 1, received: 1 })
    assert.ok(minMs > 0)
  })

  it('asks everybody, and says by which connection they answer', async () => {
    const { asked, answered, members } = await askJson('m1', 'reachability')
    assert.deepEqual([asked, answered, members[0].name, members[0].why], [1, 1, 'm2', null])
    assert.match(members[0].path.address, /^\/ip4\/127\.0\.0\.1\/tcp\/\d+$/)
  })

  const tagged = async (...tags: readonly string[]): Promise<string[]> => {
    const { members } = await askJson('m1', 'members', ...tags.flatMap((tag) => ['--tag', tag]))
    return members.map(({ name }: { name: string }) => name)
  }

  it('shows the tags of the other, also those that change while it runs', async () => {
    await eventually('those of the start', async () => (await tagged('role=web', 'zone')).includes('m2'))
    const changed = await askJson('m2', 'tags', '--set', 'role=db', '--delete', 'zone')
    assert.deepEqual(changed, { tags: { role: 'db' }, kept: false })
    await eventually('the new ones', async () => (await tagged('role=db')).includes('m2'))
    assert.deepEqual(await tagged('zone'), [])
    const { exitCode, stderr } = await ask('m2', 'tags', '--set', 'a b=c')
    assert.deepEqual([exitCode, stderr.includes('ERR_USAGE')], [2, true])
  })

  it('joins again through an address, and says when nobody answers there', async () => {
    const { peerId, addresses } = await askJson('m2', 'status')
    assert.deepEqual(await askJson('m1', 'join', addresses[0]), { contacted: [peerId] })
    const refused = await ask('m1', 'join', '/ip4/127.0.0.1/tcp/1', '--timeout', '2s')
    assert.equal(refused.exitCode, 1)
    assert.match(refused.stderr, /^p2pd: ERR_JOIN_FAILED: .*; hint: .*\n$/)
    const wrong = await ask('m1', 'join', 'm2:4001')
    assert.equal(wrong.exitCode, 2)
    assert.match(wrong.stderr, /^p2pd: ERR_BAD_ADDRESS: /)
  })

  it('tells one machine what is published on the other, and after what', async () => {
    const reading = ask('m2', 'sub', 'orders', '--count', '2')
    const listed = async (name: string) => {
      const { groups } = await askJson(name, 'groups')
      return groups.find((group: { name: string }) => group.name === 'orders')?.members.length
    }
    await eventually('m1 sees m2 in the group', async () => (await listed('m1')) === 1)
    const { sender, epoch, seq, lamport, vector } = await askJson('m1', 'pub', 'orders', 'two blue ones')
    assert.deepEqual([seq, lamport, vector], [1, 1, { [`${sender}#${epoch}`]: 1 }])
    await askJson('m1', 'pub', 'orders', 'and a red one')
    const { exitCode, stdout, stderr } = await reading
    assert.deepEqual([exitCode, stdout], [0, 'm1  two blue ones\nm1  and a red one\n'], stderr)

    const again = await askJson('m2', 'sub', 'orders', '--from', 'earliest', '--count', '1')
    assert.deepEqual([again.index, again.data, again.encoding], [1, 'two blue ones', 'utf8'])
    const next = await askJson('m2', 'sub', 'orders', '--from', again.cursor, '--count', '1')
    assert.deepEqual([next.data, next.vector], ['and a red one', { [`${sender}#${epoch}`]: 2 }])
    assert.deepEqual((await askJson('m2', 'clock', '--group', 'orders')).vector, next.vector)
    assert.deepEqual((await askJson('m2', 'status')).groups[1], {
      name: 'orders',
      members: 2,
      delivered: 2,
      heldBack: 0,
    })
    const elsewhere = await ask('m1', 'sub', 'orders', '--from', again.cursor)
    assert.match(elsewhere.stderr, /^p2pd: ERR_CURSOR_UNKNOWN: /)
    const trace = join(folder, 'm2.jsonl')
    await writeFile(trace, (await ask('m2', 'trace', '--group', 'orders')).stdout)
    const { stdout: drawn } = await ask('m1', 'trace', '--shiviz', trace)
    assert.match(drawn, new RegExp(`^deliver m1#${epoch}:2$`, 'm'))
    assert.deepEqual(await askJson('m2', 'groups', 'leave', 'orders'), { group: 'orders', left: true })
    await eventually('m1 sees it go', async () => (await listed('m1')) === 1)
  })

  it('will not cut a member off unasked, and lists who is admitted', async () => {
    const { peerId } = await askJson('m1', 'status')
    const { exitCode, stderr } = await ask('m1', 'peers', 'allow', peerId)
    assert.equal(exitCode, 2)
    assert.match(stderr, /^p2pd: ERR_CONFIRM: this would cut off m2 /)
    assert.equal((await askJson('m1', 'peers', 'list')).mode, 'secret')
    assert.equal((await askJson('m1', 'peers', 'allow', 'm2')).mode, 'list')
  })

  it('keeps its membership when it is stopped, and comes back without a flag', async () => {
    const daemon = daemons.get('m2')
    daemon?.kill('SIGTERM')
    assert.deepEqual(await daemon?.exited, { code: 0, signal: null })
    assert.equal((await ask('m2', 'status')).exitCode, 3)
    assert.equal(await statusAt('m1', 'm2'), 'left')
    await start('m2')
    await eventually('m2 is back', async () => (await statusAt('m1', 'm2')) === 'alive')
    assert.deepEqual(await askJson('m2', 'tags'), { tags: { role: 'db' }, kept: true })
    assert.deepEqual(await tagged('role=db'), ['m2'])
  })

  it('counts a killed machine as left when somebody says so, and not before it is dead', async () => {
    const early = await ask('m1', 'force-leave', 'm2')
    assert.equal(early.exitCode, 1)
    assert.match(early.stderr, /^p2pd: ERR_NOT_DEAD: m2 .* is alive, not dead; hint: /)
    daemons.get('m2')?.kill('SIGKILL')
    await eventually('m2 is dead', async () => (await statusAt('m1', 'm2')) === 'dead')
    const [dead] = (await askJson('m1', 'members', '--status', 'dead')).members
    assert.deepEqual(dead.accusers, [(await askJson('m1', 'status')).peerId])
    assert.deepEqual((await askJson('m1', 'reachability')).gone, 1)
    assert.equal((await askJson('m1', 'force-leave', 'm2')).left, true)
    const [left] = (await askJson('m1', 'members', '--status', 'left')).members
    assert.deepEqual([left.name, left.reason], ['m2', 'dismissed'])
    await start('m2')
    await eventually('m2 is a member again', async () => (await statusAt('m1', 'm2')) === 'alive')
  })

  it('gives its membership up when it leaves', async () => {
    assert.deepEqual(await askJson('m2', 'leave'), { left: true })
    assert.deepEqual(await daemons.get('m2')?.exited, { code: 0, signal: null })
    const { members } = await askJson('m1', 'members', '--status', 'left')
    assert.deepEqual(
      members.map(({ name, reason }: { name: string; reason: string }) => ({ name, reason })),
      [{ name: 'm2', reason: 'leaving' }],
    )
  })

  it('exits with 130 on Ctrl-C', async () => {
    daemons.get('m1')?.kill('SIGINT')
    assert.deepEqual(await daemons.get('m1')?.exited, { code: 130, signal: null })
  })
})

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { ControlClient } from '../../daemon/client/client.ts'
import { statusAnswer } from '../../daemon/control/schemas.ts'
import { decodeInvite } from '../../daemon/invite.ts'
import { runCli } from '../bin/run-cli.ts'
import { eventually } from '../support/eventually.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'
import { killDaemons, startDaemon, type TestDaemon } from './support/daemon-process.ts'

/** Ports that are free, all at one moment. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, '127.0.0.1', () => {
            const bound = server.address()
            resolve(typeof bound === 'object' && bound !== null ? bound.port : 0)
          })
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

describe('an invite for machines that found together', () => {
  it('holds a new secret each time, and asks no daemon', async () => {
    const announce = ['--announce', '/dns/m1.example/tcp/4001', '--announce', '/dns/m2.example/tcp/4001']
    const env = { P2PD_DATA: '/nonexistent' }
    const first = await runCli(['invite', '--new', '--cluster', 'shop', ...announce], { env })
    assert.equal(first.exitCode, 0, first.stderr)
    assert.match(first.stdout, /^\S+\n$/)
    const { cluster, addresses, inviter, secret } = decodeInvite(first.stdout)
    assert.deepEqual(
      [cluster, addresses, inviter],
      ['shop', ['/dns/m1.example/tcp/4001', '/dns/m2.example/tcp/4001'], ''],
    )
    const second = JSON.parse((await runCli(['invite', '--new', '--json'], { env })).stdout)
    assert.deepEqual([second.cluster, second.addresses], ['p2pd', []])
    assert.notDeepEqual(decodeInvite(second.invite).secret, secret)
  })

  it('is refused where it makes no sense', async () => {
    const wrong = [
      { args: ['--new', '--cluster', 'a b'], code: 'ERR_USAGE' },
      { args: ['--cluster', 'shop'], code: 'ERR_USAGE' },
      { args: ['--new', '--announce', 'm1:4001'], code: 'ERR_BAD_ADDRESS' },
      { args: ['--new', ...Array(17).fill(['--announce', '/dns/m/tcp/1']).flat()], code: 'ERR_USAGE' },
    ]
    for (const { args, code } of wrong) {
      const { exitCode, stdout, stderr } = await runCli(['invite', ...args])
      assert.deepEqual([exitCode, stdout], [2, ''])
      assert.match(stderr, new RegExp(`^p2pd: ${code}: [^\\n]+; hint: [^\\n]+\\n$`))
    }
  })
})

/** Each step builds on the one before. */
describe('three daemons with one configuration', function () {
  this.timeout(60_000)
  let folder: string
  let common: readonly string[]
  let addresses: readonly string[]
  const daemons: TestDaemon[] = []
  const clients: ControlClient[] = []

  const data = (at: number) => join(folder, `m${at}`)
  const start = async (at: number): Promise<void> => {
    const args = [...common, '--name', `m${at}`, '--listen', addresses[at] ?? '']
    daemons[at] = await startDaemon(data(at), { args })
    clients[at] = ControlClient.open(data(at))
  }
  const quorums = () => Promise.all(clients.map(async (client) => (await client.status()).quorum))

  before(async () => {
    folder = await tempDir()
    const invite = join(folder, 'invite.txt')
    await writeFile(invite, (await runCli(['invite', '--new', '--cluster', 'shop'])).stdout, { mode: 0o600 })
    addresses = (await freePorts(3)).map((port) => `/ip4/127.0.0.1/tcp/${port}`)
    const config = join(folder, 'p2pd.toml')
    await writeFile(config, `expect = 3\njoin = ${JSON.stringify(addresses)}\n`)
    common = ['--config', config, '--invite', invite]
  })

  after(async () => {
    await killDaemons()
    await removeTempDirs()
  })

  it('have no electorate while there are two', async () => {
    await Promise.all([start(0), start(1)])
    await eventually('they are members of each other', async () => {
      const all = await Promise.all(clients.map((client) => client.status()))
      return all.every(({ members }) => members.alive === 2)
    })
    const args = ['lock', 'deploy', '--wait', '200ms', '--data', data(0), '--', 'true']
    const { exitCode, stderr } = await runCli(args)
    assert.equal(exitCode, 5, stderr)
    for (const { version, self } of await quorums()) assert.deepEqual([version, self], [0, 'waiting'])
  })

  it('have one once there are three', async () => {
    await start(2)
    await eventually(
      'all three vote',
      async () =>
        (await quorums()).every((q) => q.voters.length === 3 && q.reachable && q.self === 'serving'),
      20_000,
    )
    assert.equal(new Set((await quorums()).map(({ id }) => id)).size, 1)
    for (const client of clients) {
      const { locks, quorum } = statusAnswer.parse(await client.status())
      assert.deepEqual([locks, quorum.reachable], [{ held: 0, waiting: 0 }, true])
    }
    const tokens = []
    for (const at of [0, 1, 2]) {
      const command = ['sh', '-c', 'echo $P2PD_FENCING_TOKEN']
      const { exitCode, stdout, stderr } = await runCli([
        'lock',
        'deploy',
        '--data',
        data(at),
        '--',
        ...command,
      ])
      assert.equal(exitCode, 0, stderr)
      tokens.push(Number(stdout))
    }
    assert.deepEqual(
      tokens,
      tokens.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(tokens).size, 3)
  })

  it('do not let the last voter leave that locks need, unless they are told to', async () => {
    for (const { child } of daemons.slice(1)) child.kill('SIGKILL')
    const stays = await runCli(['leave', '--data', data(0)])
    assert.equal(stays.exitCode, 1)
    assert.match(stays.stderr, /^p2pd: ERR_LEAVE_INCOMPLETE: [^\n]+; hint: [^\n]+\n$/)
    assert.equal((await clients[0]?.status())?.ready, true)
    const goes = await runCli(['leave', '--force', '--json', '--data', data(0)])
    assert.deepEqual([goes.exitCode, goes.stdout], [0, '{"left":true}\n'], goes.stderr)
    assert.equal(await daemons[0]?.ended(), 0)
  })
})

describe('a sole voter', function () {
  this.timeout(60_000)

  after(async () => {
    await killDaemons()
    await removeTempDirs()
  })

  it('hands its vote over before it leaves', async () => {
    const folder = await tempDir()
    const [first, second] = [join(folder, 'm1'), join(folder, 'm2')]
    const founder = await startDaemon(first)
    const { stdout: stdin } = await runCli(['invite', '--data', first])
    const { ready } = await startDaemon(second, { args: ['--invite', '-'], stdin })
    const client = ControlClient.open(second)
    await eventually('the second has heard who votes', async () => {
      const { quorum } = await client.status()
      return quorum.reachable && quorum.voters[0] === founder.ready.peerId
    })
    // A joiner has to stay for a second before anything is left to it.
    await eventually(
      'it leaves',
      async () => (await runCli(['leave', '--data', first])).exitCode === 0,
      20_000,
    )
    assert.equal(await founder.ended(), 0)
    const { quorum } = await client.status()
    assert.deepEqual([quorum.voters, quorum.reachable, quorum.self], [[ready.peerId], true, 'serving'])
    const { exitCode, stderr } = await runCli(['lock', 'deploy', '--data', second, '--', 'true'])
    assert.equal(exitCode, 0, stderr)
  })
})

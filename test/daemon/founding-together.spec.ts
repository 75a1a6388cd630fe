import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { ControlClient } from '../../daemon/client/client.ts'
import { decodeInvite } from '../../daemon/invite.ts'
import { runCli } from '../bin/run-cli.ts'
import { eventually } from '../support/eventually.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'
import { killDaemons, startDaemon } from './support/daemon-process.ts'

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

describe('three daemons with one configuration', function () {
  this.timeout(60_000)

  afterEach(async () => {
    await killDaemons()
    await removeTempDirs()
  })

  it('have one electorate once there are three, and none before', async () => {
    const folder = await tempDir()
    const invite = join(folder, 'invite.txt')
    await writeFile(invite, (await runCli(['invite', '--new', '--cluster', 'shop'])).stdout, { mode: 0o600 })
    const ports = await freePorts(3)
    const addresses = ports.map((port) => `/ip4/127.0.0.1/tcp/${port}`)
    const config = join(folder, 'p2pd.toml')
    await writeFile(config, `expect = 3\njoin = ${JSON.stringify(addresses)}\n`)
    const clients: ControlClient[] = []
    const start = async (at: number) => {
      const data = join(folder, `m${at}`)
      const listen = ['--listen', addresses[at] ?? '']
      await startDaemon(data, {
        args: ['--config', config, '--invite', invite, '--name', `m${at}`, ...listen],
      })
      clients.push(ControlClient.open(data))
    }
    const quorums = () => Promise.all(clients.map(async (client) => (await client.status()).quorum))

    await start(0)
    await start(1)
    await eventually('two are members of each other', async () => {
      const { members } = (await clients[1]?.status()) ?? assert.fail('no client')
      return members.alive === 2
    })
    const tried = await runCli([
      'lock',
      'deploy',
      '--wait',
      '200ms',
      '--data',
      join(folder, 'm0'),
      '--',
      'true',
    ])
    assert.equal(tried.exitCode, 5, tried.stderr)
    for (const { version, self } of await quorums()) assert.deepEqual([version, self], [0, 'waiting'])

    await start(2)
    await eventually(
      'all three vote',
      async () => (await quorums()).every(({ voters, reachable }) => voters.length === 3 && reachable),
      20_000,
    )
    assert.equal(new Set((await quorums()).map(({ id }) => id)).size, 1)
    const tokens = []
    for (const at of [0, 1, 2]) {
      const args = [
        'lock',
        'deploy',
        '--data',
        join(folder, `m${at}`),
        '--',
        'sh',
        '-c',
        'echo $P2PD_FENCING_TOKEN',
      ]
      const { exitCode, stdout, stderr } = await runCli(args)
      assert.equal(exitCode, 0, stderr)
      tokens.push(Number(stdout))
    }
    assert.deepEqual(
      tokens,
      tokens.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(tokens).size, 3)
  })
})

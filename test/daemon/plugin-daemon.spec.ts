import assert from 'node:assert/strict'
import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ControlClient } from '../../daemon/client/client.ts'
import { runCli } from '../bin/run-cli.ts'
import { root } from '../repository/imports.ts'
import { eventually } from '../support/eventually.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'
import { killDaemons, spawnDaemon, startDaemon } from './support/daemon-process.ts'

describe('a plugin from outside the tree', function () {
  this.timeout(30_000)

  afterEach(async () => {
    await killDaemons()
    await removeTempDirs()
  })

  it('runs in two daemons, and is asked by a verb of its own', async () => {
    const folder = await tempDir()
    const module = join(folder, 'hello-plugin.mjs')
    await copyFile(join(root, 'examples/hello-plugin.mjs'), module)
    const [first, second] = [join(folder, 'm1'), join(folder, 'm2')]
    const { ready } = await startDaemon(first, { args: ['--name', 'm1', '--plugin', module] })
    const { stdout: invite } = await runCli(['invite', '--data', first])
    await startDaemon(second, {
      args: ['--name', 'm2', '--invite', '-'],
      env: { P2PD_PLUGINS: module },
      stdin: invite,
    })
    const client = ControlClient.open(first)
    const rows = (await client.plugins()).plugins.filter(({ name }) => name === 'hello')
    assert.deepEqual(
      rows[0]?.verbs.map(({ name }) => name),
      ['hello'],
    )

    await eventually('m2 has answered', async () => {
      const { exitCode, stdout, stderr } = await runCli(['hello', 'm2', '--data', first, '--json'])
      assert.equal(exitCode, 0, stderr)
      return JSON.parse(stdout).answers > 0
    })
    const { stdout } = await runCli(['hello', 'm2', '--data', first])
    assert.match(stdout, /^answers: \d+$/m)
    assert.match(await client.metrics(), /^p2pd_hello_answers_total [1-9]\d*$/m)
    const unknown = await runCli(['hello', 'm9', '--data', first])
    assert.equal(unknown.exitCode, 2)
    assert.match(unknown.stderr, /^p2pd: ERR_UNKNOWN_PEER: /)
    assert.equal((await client.status()).peerId, ready.peerId)
  })

  it('that fails to run ends the start with what it threw, and leaves no directory', async () => {
    const folder = await tempDir()
    const module = join(folder, 'fails.mjs')
    await writeFile(
      module,
      "export const plugin = { name: 'fails', needs: [], run() { throw new Error('no luck') } }\n",
    )
    const { child, stderr } = spawnDaemon(join(folder, 'data'), ['--plugin', module], {})
    await eventually('it ends', () => child.exitCode !== null)
    assert.equal(child.exitCode, 1)
    assert.match(stderr(), /^p2pd: ERR_INTERNAL: no luck; hint: [^\n]+\n$/)
    await assert.rejects(ControlClient.open(join(folder, 'data')).status(), {
      code: 'ERR_DAEMON_NOT_RUNNING',
    })
  })
})

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../support/eventually.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'
import {
  type Command,
  killAll,
  type LockDaemon,
  pidsOf,
  runs,
  startCommand,
  startLockDaemon,
  stateOf,
} from './lock-daemon.ts'
import { runCli } from './run-cli.ts'

/** Tells its pid, and ends with 9 at SIGTERM, with 8 at SIGINT. */
const heedful = "trap 'exit 9' TERM; trap 'exit 8' INT; echo pid $$; while :; do sleep 0.02; done"
const stubborn = "trap '' TERM INT; echo pid $$; while :; do sleep 0.02; done"

interface Last {
  readonly name: string
  readonly token: number
  readonly leaseMs: number
  readonly released: boolean
}

describe('a command under a lock', () => {
  let daemon: LockDaemon

  beforeEach(async () => {
    daemon = await startLockDaemon()
  })

  afterEach(async () => {
    await killAll()
    await removeTempDirs()
  })

  const run = (args: readonly string[], stdin?: string) =>
    runCli(args, { env: { P2PD_DATA: daemon.dataDir }, ...(stdin === undefined ? {} : { stdin }) })
  const start = (...args: readonly string[]) => startCommand(daemon.dataDir, args)
  const last = () => daemon.test<Last>('last')

  /** A shell script under the lock, and the pids that it tells of. */
  async function startScript(
    script: string,
    ...flags: readonly string[]
  ): Promise<{ command: Command; pids: readonly number[] }> {
    const command = start('lock', 'deploy', ...flags, '--', 'sh', '-c', script)
    return { command, pids: await pidsOf(command) }
  }

  async function untilReleased(pids: readonly number[]): Promise<void> {
    await eventually('the lock is released', async () => (await last()).released)
    assert.deepEqual(pids.filter(runs), [], 'nobody of the group runs any more')
  }

  it('sees the lock and its token, and gives its exit code on', async () => {
    const script = 'echo "$P2PD_LOCK $P2PD_FENCING_TOKEN"; exit 3'
    const { exitCode, stdout, stderr } = await run(['lock', 'two words', '--', 'sh', '-c', script])
    assert.deepEqual({ exitCode, stdout, stderr }, { exitCode: 3, stdout: 'two words 1\n', stderr: '' })
    assert.deepEqual(await last(), { name: 'two words', token: 1, leaseMs: 1000, released: true })
  })

  it('reads what is piped in, and writes after what --json says', async () => {
    const { exitCode, stdout } = await run(['lock', 'deploy', '--json', '--lease', '5s', '--', 'cat'], 'text')
    assert.equal(exitCode, 0)
    assert.equal(stdout, '{"lock":"deploy","token":1,"leaseMs":5000}\ntext')
  })

  it('gets its words as they are', async () => {
    const words = ['a b', '$HOME', "it's", '--json', '--', '*', '']
    const { stdout } = await run(['lock', 'deploy', '--', 'printf', '<%s>', ...words])
    assert.equal(stdout, words.map((word) => `<${word}>`).join(''))
  })

  it('reports a signal that ended it as a shell does', async () => {
    const { exitCode } = await run(['lock', 'deploy', '--', 'sh', '-c', 'kill -KILL $$'])
    assert.equal(exitCode, 137)
  })

  it('is looked for before the daemon is asked', async () => {
    const dir = await tempDir()
    await writeFile(join(dir, 'plain'), '')
    await writeFile(join(dir, '-odd'), '#!/bin/sh\necho odd')
    await chmod(join(dir, '-odd'), 0o755)
    const env = { P2PD_DATA: '/nonexistent', PATH: `${dir}:${process.env.PATH}` }
    const results = await Promise.all(
      [['nosuch'], ['plain'], [dir], [''], ['./nosuch']].map((words) =>
        runCli(['lock', 'deploy', '--', ...words], { env }),
      ),
    )
    assert.deepEqual(
      results.map(({ exitCode }) => exitCode),
      [127, 126, 126, 127, 127],
    )
    assert.match(results[0]?.stderr ?? '', /^p2pd: ERR_COMMAND_NOT_FOUND: .*"nosuch"; hint: .+\n$/)
    assert.match(results[1]?.stderr ?? '', /^p2pd: ERR_COMMAND_NOT_EXECUTABLE: /)
    const odd = await runCli(['lock', 'deploy', '--', '-odd'], { env: { ...env, P2PD_DATA: daemon.dataDir } })
    assert.equal(odd.stdout, 'odd\n')
  })

  it('does not run when the lock cannot be had', async () => {
    await daemon.test('take')
    const cases: readonly { args: readonly string[]; exitCode: number; code: string }[] = [
      { args: ['lock', 'taken', '--wait', '50ms'], exitCode: 4, code: 'ERR_LOCK_HELD' },
      { args: ['try-lock', 'taken'], exitCode: 4, code: 'ERR_LOCK_HELD' },
      { args: ['lock', 'no-quorum'], exitCode: 5, code: 'ERR_NO_QUORUM' },
      { args: ['lock', 'deploy', '--data', '/nonexistent'], exitCode: 3, code: 'ERR_DAEMON_NOT_RUNNING' },
      { args: ['lock', ''], exitCode: 2, code: 'ERR_LOCK_NAME' },
      { args: ['lock', 'deploy', '--lease', '10'], exitCode: 2, code: 'ERR_USAGE' },
    ]
    for (const { args, exitCode, code } of cases) {
      const result = await run([...args, '--json', '--', 'echo', 'ran'])
      assert.deepEqual(
        [result.exitCode, result.stdout, JSON.parse(result.stderr).error.code],
        [exitCode, '', code],
        args.join(' '),
      )
    }
  })

  it('ends what it has left behind before the lock is released', async () => {
    const { command, pids } = await startScript('sleep 100 & echo pid $!; exit 5')
    assert.equal(await command.ended(), 5)
    await untilReleased(pids)
  })

  for (const { signal, exitCode } of [
    { signal: 'SIGINT', exitCode: 130 },
    { signal: 'SIGTERM', exitCode: 143 },
    { signal: 'SIGHUP', exitCode: 129 },
  ] as const) {
    it(`is told of ${signal}, and ends by it`, async () => {
      const script = `trap 'echo heard; exit 0' ${signal.slice(3)}; echo pid $$; while :; do sleep 0.02; done`
      const { command, pids } = await startScript(script)
      command.child.kill(signal)
      assert.equal(await command.ended(), exitCode)
      assert.match(command.stdout(), /heard/)
      await untilReleased(pids)
    })
  }

  it('is killed by the second Ctrl-C if it did not heed the first', async () => {
    const { command, pids } = await startScript(stubborn, '--lease', '20s')
    command.child.kill('SIGINT')
    assert.deepEqual(pids.map(runs), [true])
    await eventually('the second is taken', () => {
      command.child.kill('SIGINT')
      return !pids.some(runs)
    })
    assert.equal(await command.ended(), 130)
    await untilReleased(pids)
  })

  it('waits no longer after Ctrl-C', async () => {
    await daemon.test('take')
    const waiters = async () => {
      const answer = await daemon.client.ask<{ locks: { waiters: unknown[] }[] }>({
        method: 'GET',
        path: '/v1/locks',
      })
      return answer.locks[0]?.waiters.length
    }
    const command = start('lock', 'taken', '--', 'echo', 'ran')
    await eventually('it waits', async () => (await waiters()) === 1)
    command.child.kill('SIGINT')
    assert.equal(await command.ended(), 130)
    assert.equal(command.stdout(), '')
    await eventually('it waits no longer', async () => (await waiters()) === 0)
  })

  it('dies with its client, and before the lock is released', async () => {
    const { command, pids } = await startScript(stubborn, '--lease', '20s')
    command.child.kill('SIGKILL')
    await untilReleased(pids)
  })

  it('dies when its client is stopped for longer than the lock was said to be valid', async () => {
    const { command, pids } = await startScript(stubborn, '--lease', '600ms')
    command.child.kill('SIGSTOP')
    await untilReleased(pids)
    command.child.kill('SIGCONT')
    assert.equal(await command.ended(), 7)
    assert.match(command.stderr(), /^p2pd: ERR_LOCK_LOST: lock 'deploy' is lost: /)
  })

  it('is stopped and continued along with its client by Ctrl-Z and fg', async () => {
    // Without a child of its own: one that is about to become another program is not shown as stopped.
    const { command, pids } = await startScript('echo pid $$; read -r line; exit "$line"', '--lease', '20s')
    const all = [command.pid, ...pids]
    command.child.kill('SIGTSTP')
    await eventually('both are stopped', () => all.every((pid) => stateOf(pid) === 'T'))
    command.child.stdin?.write('6\n')
    command.child.kill('SIGCONT')
    assert.equal(await command.ended(), 6)
  })

  it('is ended when the daemon dies', async () => {
    const { command, pids } = await startScript(heedful, '--lease', '20s')
    daemon.child.kill('SIGKILL')
    assert.equal(await command.ended(), 7)
    assert.match(command.stderr(), /^p2pd: ERR_LOCK_LOST: .*the daemon is gone; hint: .+\n$/m)
    assert.deepEqual(pids.map(runs), [false])
  })

  it('is killed when the daemon dies and it does not heed that, long before the lease is over', async () => {
    const { command, pids } = await startScript(stubborn, '--lease', '20s')
    const before = performance.now()
    daemon.child.kill('SIGKILL')
    assert.equal(await command.ended(), 7)
    assert.deepEqual(pids.map(runs), [false])
    assert.ok(performance.now() - before < 5000)
  })

  it('is killed by its client before the lease is over when the daemon is stopped', async () => {
    const { command, pids } = await startScript(stubborn, '--lease', '1s')
    daemon.child.kill('SIGSTOP')
    const before = performance.now()
    await eventually('it ended', () => !pids.some(runs))
    const took = performance.now() - before
    // At the voters it lasts the whole lease; its holder stops at 800 ms, if its machine lets it.
    assert.ok(took < 1000, `${took} ms, and the lease is 1000`)
    assert.equal(await command.ended(), 7)
    assert.match(command.stderr(), /the daemon does not answer/)
    daemon.child.kill('SIGCONT')
  })

  it('is asked to end when renewals fail, and its client says so', async () => {
    const { command, pids } = await startScript(`${heedful}`, '--lease', '1500ms')
    await daemon.test('fail-renewals')
    assert.equal(await command.ended(), 7)
    assert.match(command.stderr(), /could not be renewed/)
    await untilReleased(pids)
  })

  it('is killed when the lock is lost without notice', async () => {
    const { command, pids } = await startScript(stubborn, '--lease', '20s')
    await daemon.test('lose')
    assert.equal(await command.ended(), 7)
    assert.deepEqual(pids.map(runs), [false])
  })

  it('is ended when the daemon stops in good order', async () => {
    const { command, pids } = await startScript(heedful, '--lease', '20s')
    await daemon.test('close')
    assert.deepEqual(pids.map(runs), [false])
    assert.equal((await last()).released, true)
    assert.equal(await command.ended(), 7)
    assert.match(command.stderr(), /the daemon is stopping/)
  })

  it('never runs when its client dies before the daemon knows it', async () => {
    const file = join(await tempDir(), 'ran')
    const module = new URL('../../bin/lock/gated-command.js', import.meta.url)
    const program =
      `import { GatedCommand } from ${JSON.stringify(module.href)}\n` +
      `const { group } = await GatedCommand.start(['touch', ${JSON.stringify(file)}], 'touch', process.env)\n` +
      "process.stdout.write(group.name.pgid + '\\n', () => process.kill(process.pid, 'SIGKILL'))"
    const client = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    client.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    await once(client, 'close')
    await eventually('the gate is gone', () => !runs(Number(said)))
    assert.match(said, /^\d+\n$/)
    assert.equal(existsSync(file), false)
  })
})

describe('a lock without a command', () => {
  let daemon: LockDaemon

  beforeEach(async () => {
    daemon = await startLockDaemon()
  })

  afterEach(async () => {
    await killAll()
    await removeTempDirs()
  })

  const last = () => daemon.test<Last>('last')

  it('is held until stdin ends', async () => {
    const command = startCommand(daemon.dataDir, ['lock', 'deploy', '--lease', '500ms', '--json'])
    await eventually('it is held', () => command.stdout() === '{"lock":"deploy","token":1,"leaseMs":500}\n')
    // Longer than it would last by itself.
    const end = performance.now() + 1000
    await eventually('the lease is over', () => performance.now() > end)
    assert.equal((await last()).released, false)
    command.child.stdin?.end()
    assert.equal(await command.ended(), 0)
    assert.equal((await last()).released, true)
    assert.equal(command.stderr(), '')
  })

  it('says in words that it is held, on stderr', async () => {
    const command = startCommand(daemon.dataDir, ['try-lock', 'deploy'])
    await eventually('it is held', () => command.stderr() !== '')
    assert.equal(command.stderr(), "holding lock 'deploy' with token 1 until stdin ends\n")
    command.child.kill('SIGINT')
    assert.equal(await command.ended(), 130)
    assert.equal((await last()).released, true)
    assert.equal(command.stdout(), '')
  })

  it('ends with 7 when it is lost', async () => {
    const command = startCommand(daemon.dataDir, ['lock', 'deploy', '--json'])
    await eventually('it is held', () => command.stdout() !== '')
    await daemon.test('lose')
    assert.equal(await command.ended(), 7)
    assert.equal(JSON.parse(command.stderr()).error.code, 'ERR_LOCK_LOST')
  })

  it('is given up when its client dies', async () => {
    const command = startCommand(daemon.dataDir, ['lock', 'deploy', '--json'])
    await eventually('it is held', () => command.stdout() !== '')
    command.child.kill('SIGKILL')
    await eventually('it is released', async () => (await last()).released)
  })
})

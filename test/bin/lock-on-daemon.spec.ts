import assert from 'node:assert/strict'
import { LockClient } from '../../daemon/client/lock-client.ts'
import { killDaemons, startDaemon, type TestDaemon } from '../daemon/support/daemon-process.ts'
import { eventually } from '../support/eventually.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'
import { killAll, pidsOf, runs, startCommand } from './lock-daemon.ts'

const stubborn = "trap '' TERM INT; echo pid $$; while :; do sleep 0.02; done"

describe('a command under a lock of a whole daemon', () => {
  let dataDir: string
  let daemon: TestDaemon
  let client: LockClient

  beforeEach(async () => {
    dataDir = await tempDir()
    daemon = await startDaemon(dataDir)
    client = LockClient.open(dataDir)
  })

  afterEach(async () => {
    await killAll()
    await killDaemons()
    await removeTempDirs()
  })

  const start = (...args: readonly string[]) => startCommand(dataDir, args)
  const holders = async () => (await client.locks('deploy')).locks.filter(({ holder }) => holder !== null)

  it('is seen to hold it, and lets the next one in when it ends', async () => {
    const first = start('lock', 'deploy', '--', 'sh', '-c', 'echo pid $$; read -r line; exit 3')
    await pidsOf(first)
    const second = start('lock', 'deploy', '--', 'sh', '-c', 'echo "$P2PD_LOCK $P2PD_FENCING_TOKEN"')
    const row = await eventually('the second waits', async () => {
      const [lock] = (await client.locks()).locks
      return lock?.waiters.length === 1 ? lock : undefined
    })
    assert.deepEqual(
      { ...row, expiresInMs: 0 },
      {
        name: 'deploy',
        holder: daemon.ready.peerId,
        token: 1,
        expiresInMs: 0,
        waiters: [daemon.ready.peerId],
      },
    )
    const attempt = start('try-lock', 'deploy', '--', 'echo', 'ran')
    assert.equal(await attempt.ended(), 4)
    assert.equal(second.stdout(), '')
    first.child.stdin?.write('\n')
    assert.equal(await first.ended(), 3)
    assert.equal(await second.ended(), 0)
    assert.equal(second.stdout(), 'deploy 2\n')
    assert.deepEqual(await holders(), [])
  })

  it('is dead before the next one is in when its client was killed', async () => {
    const first = start('lock', 'deploy', '--', 'sh', '-c', stubborn)
    const [pid = 0] = await pidsOf(first)
    // A zombie is dead, and may stay for a while.
    const look = `grep -qs ') [^ZX] ' /proc/${pid}/stat || echo dead`
    const second = start('lock', 'deploy', '--', 'sh', '-c', look)
    await eventually('the second waits', async () => (await client.locks()).locks[0]?.waiters.length === 1)
    first.child.kill('SIGKILL')
    assert.equal(await second.ended(), 0)
    assert.equal(second.stdout(), 'dead\n')
    assert.equal(runs(pid), false)
  })

  it('is ended by its client when the daemon is killed', async () => {
    const command = start('lock', 'deploy', '--', 'sh', '-c', 'echo pid $$; read -r line')
    const pids = await pidsOf(command)
    daemon.child.kill('SIGKILL')
    assert.equal(await command.ended(), 7)
    assert.deepEqual(pids.map(runs), [false])
  })

  it('is ended by its client before the lease is over when the daemon is stopped, and by nobody twice', async () => {
    const command = start('lock', 'deploy', '--lease', '1s', '--', 'sh', '-c', stubborn)
    const pids = await pidsOf(command)
    daemon.child.kill('SIGSTOP')
    const before = performance.now()
    await eventually('it ended', () => !pids.some(runs))
    const took = performance.now() - before
    assert.ok(took < 1000, `${took} ms`)
    assert.equal(await command.ended(), 7)
    daemon.child.kill('SIGCONT')
    const next = start('lock', 'deploy', '--', 'sh', '-c', 'echo "$P2PD_FENCING_TOKEN"')
    assert.equal(await next.ended(), 0)
    assert.equal(next.stdout(), '2\n')
  })

  it('is ended by the daemon that ends, within its five seconds', async () => {
    const command = start('lock', 'deploy', '--', 'sh', '-c', stubborn)
    const pids = await pidsOf(command)
    const waiting = start('lock', 'deploy', '--', 'echo', 'ran')
    await eventually('one waits', async () => (await client.locks()).locks[0]?.waiters.length === 1)
    const before = performance.now()
    daemon.child.kill('SIGTERM')
    assert.equal(await daemon.ended(), 0)
    assert.ok(performance.now() - before < 5000)
    assert.deepEqual(pids.map(runs), [false])
    assert.equal(await command.ended(), 7)
    assert.match(command.stderr(), /the daemon is stopping/)
    assert.equal(await waiting.ended(), 3)
    assert.equal(waiting.stdout(), '')
  })
})

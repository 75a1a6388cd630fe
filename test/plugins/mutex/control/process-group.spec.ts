import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseProcStat, readProcStat } from '../../../../plugins/mutex/control/proc-stat.ts'
import { ProcessGroup } from '../../../../plugins/mutex/control/process-group.ts'
import { eventually } from '../../../support/eventually.ts'
import { ignoringTerm, killVictims, runs, sleeping, startVictim } from './victims.ts'

describe('a process group', () => {
  afterEach(killVictims)

  it('is there while its leader runs, and gone once that has ended', async () => {
    const { group, child } = await startVictim(sleeping)
    assert.equal(await group.isGone(), false)
    group.signal('SIGKILL')
    await once(child, 'exit')
    assert.equal(await group.isGone(), true)
  })

  it('is there while a process runs that its leader left behind', async () => {
    const { group, child, pids } = await startVictim('sleep 100 & echo ready $!')
    await once(child, 'exit')
    assert.equal(await group.isGone(), false)
    await group.end({ graceMs: 2000 })
    assert.deepEqual(pids.map(runs), [false])
  })

  it('ends by SIGTERM where that is heeded', async () => {
    const { group, child } = await startVictim(
      "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05 & wait $!; done",
    )
    const exited = once(child, 'exit')
    await group.end({ graceMs: 5000 })
    assert.deepEqual(await exited, [3, null])
  })

  it('ends by SIGKILL when it ignores SIGTERM, children and their children included', async () => {
    // It says nothing itself: the line with the numbers is the one that is waited for.
    const grandchild = `bash -c "${ignoringTerm}" >/dev/null & echo ready $! $$; wait`
    const { group, child, pids } = await startVictim(`trap '' TERM; ${grandchild}`)
    const exited = once(child, 'exit')
    const before = performance.now()
    await group.end({ graceMs: 150 })
    assert.ok(performance.now() - before >= 150)
    assert.deepEqual(pids.map(runs), [false, false])
    assert.equal((await exited)[1], 'SIGKILL')
  })

  it('ends at once when there is no time, or no more', async () => {
    const { group, pid } = await startVictim(ignoringTerm)
    const hurry = new AbortController()
    setTimeout(() => hurry.abort(), 50)
    const before = performance.now()
    await group.end({ graceMs: 20_000, hurry: hurry.signal })
    assert.ok(performance.now() - before < 5000)
    assert.equal(runs(pid), false)
  })

  it('ends though it is stopped', async () => {
    const { group, child } = await startVictim(
      "trap 'exit 4' TERM; echo ready; while :; do sleep 0.05 & wait $!; done",
    )
    const exited = once(child, 'exit')
    group.signal('SIGSTOP')
    await group.end({ graceMs: 5000 })
    assert.deepEqual(await exited, [4, null])
  })

  it('is gone when only zombies are left, since their parent may be stopped', async () => {
    // The inner shell leads a session of its own, and its parent takes no notice when it ends.
    const { pids } = await startVictim('setsid sleep 100 & echo ready $!; kill -STOP $$; wait')
    const [inner = 0] = pids
    await eventually('it leads a group', () => readProcStat(inner)?.group === inner)
    const group = ProcessGroup.led(inner)
    await group.end({ graceMs: 0 })
    assert.equal(readProcStat(inner)?.isZombie, true)
  })

  it('includes jobs that its shell put into groups of their own', async () => {
    const { group, pids } = await startVictim('set -m; sleep 100 & echo ready $!; wait')
    const [job = 0] = pids
    assert.notEqual(readProcStat(job)?.group, group.name.pgid)
    assert.equal(await group.isGone(), false)
    await group.end({ graceMs: 0 })
    assert.equal(runs(job), false)
  })

  it('is gone, and is sent nothing, when its number belongs to a younger process', async () => {
    const { pid, group } = await startVictim(sleeping)
    const startTime = (group.name.startTime ?? 0) - 1
    const older = new ProcessGroup({ pgid: pid, startTime })
    assert.equal(await older.isGone(), true)
    older.signal('SIGKILL')
    await older.end({ graceMs: 0 })
    assert.equal(runs(pid), true)
    assert.throws(() => ProcessGroup.adopt({ pgid: pid, startTime }), { code: 'ERR_LOCK_GROUP' })
  })

  // Who is not root has no other user's processes at hand.
  // Another user has to be able to run this node, and to read what it runs.
  if (process.getuid?.() === 0 && isForAll(process.execPath) && isForAll(import.meta.filename)) {
    it('of another user cannot be killed, and is waited for', async () => {
      const { group, pid } = await startVictim('echo ready; exec sleep 0.7')
      const module = new URL('../../../../plugins/mutex/control/process-group.js', import.meta.url)
      const program =
        `import { ProcessGroup } from ${JSON.stringify(module.href)}\n` +
        `await ProcessGroup.adopt(${JSON.stringify(group.name)}).end({ graceMs: 0 })`
      const daemon = spawn(process.execPath, ['--input-type=module', '-e', program], { uid: 65_534 })
      const exited = once(daemon, 'exit')
      assert.deepEqual(await exited, [0, null])
      assert.equal(runs(pid), false)
    })
  }

  it("is not adopted when nobody leads it, or when it is the daemon's own", async () => {
    const { child, pid, group } = await startVictim(sleeping)
    assert.equal(ProcessGroup.adopt(group.name).name, group.name)
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.throws(() => ProcessGroup.adopt({ ...group.name, pgid: pid }), { code: 'ERR_LOCK_GROUP' })
    const own = readProcStat(process.pid)?.group ?? 0
    const startTime = readProcStat(own)?.startTime ?? null
    assert.throws(() => ProcessGroup.adopt({ pgid: own, startTime }), { code: 'ERR_LOCK_GROUP' })
  })
})

describe('the line of a process', () => {
  it('is read though its name holds brackets and blanks', () => {
    const line =
      '71 (a) S 1 (b) R 70 69 68 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 8912 2 0 18446744073709551615'
    assert.deepEqual(parseProcStat(line), {
      pid: 71,
      group: 69,
      session: 68,
      foreground: -1,
      startTime: 8912,
      isZombie: false,
    })
    assert.equal(parseProcStat('nonsense'), undefined)
    assert.equal(parseProcStat('1 (short) S 1'), undefined)
  })

  it('shows a zombie, and not one whose other threads run on', () => {
    const line = (threads: number) => `71 (x) Z 70 69 68 0 -1 0 1 0 0 0 0 0 0 0 20 0 ${threads} 0 8912 0`
    assert.equal(parseProcStat(line(1))?.isZombie, true)
    assert.equal(parseProcStat(line(2))?.isZombie, false)
  })
})

/** Everybody may go down to it. */
function isForAll(path: string): boolean {
  const folder = dirname(path)
  return (statSync(folder).mode & 0o001) !== 0 && (folder === dirname(folder) || isForAll(folder))
}

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DaemonProcess } from '../../../testnet/cluster/process.ts'
import { Reaper } from '../../../testnet/cluster/reaper.ts'

const never = new AbortController().signal

describe('a daemon process', () => {
  let folder: string
  let reaper: Reaper

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'p2pd-process-'))
    reaper = Reaper.start()
  })

  after(async () => {
    await reaper.close()
    rmSync(folder, { recursive: true })
  })

  function start(source: string): DaemonProcess {
    const program = join(folder, 'program.cjs')
    writeFileSync(program, source)
    return DaemonProcess.start({
      name: 'n1',
      program,
      args: [],
      logPath: join(folder, 'log'),
      env: {},
      reaper,
    })
  }

  it('is ready when it says so, and ends by the signal that it is sent', async () => {
    const daemon = start(
      'console.log("hello"); console.log(`{"event":"ready"}`); setInterval(() => {}, 1000)',
    )
    await daemon.ready(10_000, never)
    assert.ok(daemon.running)
    daemon.kill('SIGKILL')
    assert.deepEqual(await daemon.exited, { code: null, signal: 'SIGKILL' })
    assert.ok(!daemon.running)
  })

  it('that ends before it is ready is reported with its last words', async () => {
    const daemon = start(
      `console.error('{"error":{"code":"ERR_PORT_IN_USE","message":"taken"}}'); process.exitCode = 7`,
    )
    await assert.rejects(daemon.ready(10_000, never), {
      code: 'ERR_TESTNET',
      message: 'n1 ended (exit code 7); it said: ERR_PORT_IN_USE: taken',
    })
  })

  it('that stays silent is reported when its time is over', async () => {
    const daemon = start('setInterval(() => {}, 1000)')
    await assert.rejects(daemon.ready(50, never), /was not ready after 50 ms/)
    assert.equal(await daemon.ended(50, never), undefined)
    daemon.kill('SIGKILL')
    await daemon.exited
  })

  it('is not waited for once the run is interrupted', async () => {
    const daemon = start('setInterval(() => {}, 1000)')
    const interruption = new AbortController()
    const waiting = daemon.ready(60_000, interruption.signal)
    interruption.abort(new Error('Ctrl-C'))
    await assert.rejects(waiting, /Ctrl-C/)
    daemon.kill('SIGKILL')
    await daemon.exited
  })
})

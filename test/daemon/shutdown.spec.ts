import assert from 'node:assert/strict'
import { Shutdown } from '../../daemon/shutdown.ts'
import { eventually } from '../support/eventually.ts'

describe('the end of a daemon', () => {
  const exits: number[] = []
  let shutdown: Shutdown

  beforeEach(() => {
    exits.length = 0
  })

  afterEach(() => shutdown.dispose())

  function begin(stopWithinMs?: number): void {
    shutdown = new Shutdown((code) => exits.push(code), stopWithinMs)
  }

  it('is asked for by the first signal, which decides the exit code', async () => {
    for (const [signal, code] of [
      ['SIGTERM', 0],
      ['SIGHUP', 129],
    ] as const) {
      begin()
      process.emit(signal, signal)
      await shutdown.begun()
      assert.equal(shutdown.exitCode, code)
      shutdown.begin(1)
      assert.equal(shutdown.exitCode, code)
      shutdown.dispose()
    }
    assert.deepEqual(exits, [])
  })

  it('is forced by a second signal', () => {
    begin()
    process.emit('SIGTERM', 'SIGTERM')
    process.emit('SIGTERM', 'SIGTERM')
    assert.deepEqual(exits, [143])
  })

  it('comes in time whatever hangs, also after everything was let go', async () => {
    begin(20)
    shutdown.begin(0)
    shutdown.dispose()
    await eventually('the exit', () => exits.length === 1)
    assert.deepEqual(exits, [0])
  })
})

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Reaper } from '../../../testnet/cluster/reaper.ts'
import { eventually } from '../../support/eventually.ts'
import { runs } from './runs.ts'

const parentProgram = fileURLToPath(new URL('./reaper-parent.js', import.meta.url))

describe('the reaper', () => {
  it('kills what is watched when its parent is killed with SIGKILL, and nothing else', async () => {
    const parent = spawn(process.execPath, [parentProgram], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string]
    const { watched, forgotten } = JSON.parse(line) as { watched: number; forgotten: number }
    try {
      assert.ok(runs(watched))
      parent.kill('SIGKILL')
      await eventually('the watched process is gone', () => !runs(watched))
      assert.ok(runs(forgotten))
    } finally {
      process.kill(forgotten, 'SIGKILL')
    }
  })

  it('kills what is still watched when it is closed', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    assert.ok(child.pid !== undefined)
    const exited = once(child, 'exit')
    const reaper = Reaper.start()
    reaper.watch(child.pid)
    await reaper.close()
    assert.deepEqual(await exited, [null, 'SIGKILL'])
    await reaper.close()
  })
})

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { createServiceNotifier, watchdogPeriodMs } from '../../daemon/service-notifier.ts'
import { eventually } from '../support/eventually.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'

describe('the notification of the service manager', () => {
  afterEach(removeTempDirs)

  const silent = pino({ level: 'silent' })

  /** A systemd-notify that writes down what it is told, and the environment with such a one. */
  async function fakeSystemd(): Promise<{ env: Record<string, string>; told: () => Promise<string[]> }> {
    const folder = await tempDir()
    const log = join(folder, 'log')
    await writeFile(
      join(folder, 'systemd-notify'),
      `#!/bin/sh\nprintf '%s %s\\n' "$NOTIFY_SOCKET" "$*" >> '${log}'\n`,
      { mode: 0o700 },
    )
    const env = { PATH: `${folder}:${process.env.PATH}`, NOTIFY_SOCKET: '/run/x', P2PD_DATA: 'not for it' }
    return { env, told: async () => (await readFile(log, 'utf8')).trimEnd().split('\n') }
  }

  it('says when the daemon is ready and when it stops', async () => {
    const { env, told } = await fakeSystemd()
    const notifier = createServiceNotifier(env, silent)
    await notifier.ready('member of shop')
    await notifier.stopping()
    notifier.close()
    assert.deepEqual(await told(), [
      `/run/x READY=1 STATUS=member of shop MAINPID=${process.pid}`,
      '/run/x STOPPING=1',
    ])
  })

  it('feeds the watchdog twice as often as asked, from ready to the end', async () => {
    const { env, told } = await fakeSystemd()
    const notifier = createServiceNotifier({ ...env, WATCHDOG_USEC: '200000' }, silent)
    await notifier.ready('')
    await eventually(
      'two beats',
      async () => (await told()).filter((line) => line.endsWith('WATCHDOG=1')).length >= 2,
    )
    notifier.close()
  })

  it('watches only the process that is meant', () => {
    assert.equal(watchdogPeriodMs({ WATCHDOG_USEC: '30000000' }, 7), 15_000)
    assert.equal(watchdogPeriodMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7), 15_000)
    assert.equal(watchdogPeriodMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7), undefined)
    assert.equal(watchdogPeriodMs({ WATCHDOG_USEC: 'x' }, 7), undefined)
    assert.equal(watchdogPeriodMs({}, 7), undefined)
  })

  it('costs no more than one warning where the helper is missing', async () => {
    const warnings: string[] = []
    const log = pino({}, { write: (line) => warnings.push(line) })
    const notifier = createServiceNotifier({ NOTIFY_SOCKET: '/run/x', PATH: await tempDir() }, log)
    await notifier.ready('')
    await notifier.stopping()
    notifier.close()
    assert.equal(warnings.length, 1)
  })

  it('does nothing without a manager', async () => {
    const notifier = createServiceNotifier({ PATH: '' }, pino({}, { write: () => assert.fail('it spoke') }))
    await notifier.ready('')
    await notifier.stopping()
    notifier.close()
  })
})

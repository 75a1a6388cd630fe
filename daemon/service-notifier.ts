/**
 * systemd's readiness protocol (sd_notify(3)): READY, STOPPING, WATCHDOG.
 *
 * The notification is a datagram to the Unix socket `NOTIFY_SOCKET`. Node opens
 * no Unix datagram sockets, so systemd's own `systemd-notify` sends it, which is
 * there wherever that variable is set; hence `NotifyAccess=all` in the unit.
 */
import { execFile } from 'node:child_process'
import type { Logger } from 'pino'
import type { Environment } from './paths.ts'

export interface ServiceNotifier {
  ready(status: string): Promise<void>
  stopping(): Promise<void>
  /** Stops the watchdog's timer. */
  close(): void
}

/** The helper's own limit; nothing waits longer for it. */
const sendTimeoutMs = 2000

export function createServiceNotifier(env: Environment, log: Logger): ServiceNotifier {
  if (!env.NOTIFY_SOCKET) return { ready: async () => {}, stopping: async () => {}, close: () => {} }
  let watchdog: NodeJS.Timeout | undefined
  let warned = false
  const send = async (...states: readonly string[]) => {
    const failure = await notify(states, env)
    if (failure === undefined || warned) return
    warned = true
    log.warn({ reason: failure.message }, 'cannot notify the service manager')
  }
  return {
    async ready(status) {
      await send('READY=1', `STATUS=${status}`, `MAINPID=${process.pid}`)
      const periodMs = watchdogPeriodMs(env, process.pid)
      if (periodMs !== undefined) watchdog = setInterval(() => void send('WATCHDOG=1'), periodMs).unref()
    },
    stopping: () => send('STOPPING=1'),
    close: () => clearInterval(watchdog),
  }
}

/** Half of what the manager allows, as sd_watchdog_enabled(3) advises; undefined when it does not watch us. */
export function watchdogPeriodMs(env: Environment, pid: number): number | undefined {
  const microseconds = Number(env.WATCHDOG_USEC ?? '')
  if (!Number.isSafeInteger(microseconds) || microseconds <= 0) return undefined
  if (env.WATCHDOG_PID !== undefined && env.WATCHDOG_PID !== String(pid)) return undefined
  return Math.max(100, microseconds / 2000)
}

function notify(states: readonly string[], env: Environment): Promise<Error | undefined> {
  const { PATH, NOTIFY_SOCKET } = env
  return new Promise((resolve) => {
    execFile(
      'systemd-notify',
      [...states],
      { env: { PATH, NOTIFY_SOCKET }, timeout: sendTimeoutMs, killSignal: 'SIGKILL' },
      (error) => resolve(error ?? undefined),
    )
  })
}

/** A process that is read line by line and does not outlive this one. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { Reaper } from '../../testnet/cluster/reaper.ts'

export interface ChildOptions {
  readonly command: readonly string[]
  /** Its stderr is appended here. */
  readonly logPath: string
  readonly reaper: Reaper
  readonly onLine: (line: string) => void
}

export interface Child {
  readonly pid: number
  readonly running: boolean
  readonly ended: Promise<void>
  signal(signal: NodeJS.Signals): void
}

export function startChild({ command, logPath, reaper, onLine }: ChildOptions): Child {
  const [program = '', ...args] = command
  const log = openSync(logPath, 'a', 0o600)
  // Detached: Ctrl-C in the terminal is for the bench to hear.
  const child = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', log] })
  closeSync(log)
  child.on('error', () => {})
  const { pid, stdout } = child
  if (pid === undefined || stdout === null) throw new Error(`${program} could not be started`)
  reaper.watch(pid)
  createInterface({ input: stdout }).on('line', onLine)
  const ended = once(child, 'exit').then(() => reaper.forget(pid))
  return {
    pid,
    get running() {
      return child.exitCode === null && child.signalCode === null
    },
    ended,
    signal: (signal) => void child.kill(signal),
  }
}

const readyWithinMs = 60_000

/** What `ready` gives; rejects when the process ends, or says nothing for long. */
export async function readyOf(
  name: string,
  { ended }: Child,
  ready: Promise<number>,
  signal: AbortSignal,
): Promise<number> {
  const done = new AbortController()
  const late = async (): Promise<never> => {
    await delay(readyWithinMs, undefined, { signal: AbortSignal.any([signal, done.signal]) })
    throw new Error(`${name} is not ready after ${readyWithinMs / 1000} s`)
  }
  const over = async (): Promise<never> => {
    await ended
    throw new Error(`${name} ended before it was ready`)
  }
  try {
    return await Promise.race([ready, over(), late()])
  } finally {
    done.abort()
  }
}

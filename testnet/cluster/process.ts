/** One `p2pd` process: started, watched, signalled. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Reaper } from './reaper.ts'

export interface ProcessOptions {
  /** In messages. */
  readonly name: string
  /** What to put before the command; it becomes the command, so that the pid is the same. */
  readonly enter?: readonly string[]
  /** Path of the compiled `p2pd`. */
  readonly program: string
  readonly args: readonly string[]
  /** Its stderr is appended here. */
  readonly logPath: string
  readonly env: NodeJS.ProcessEnv
  readonly reaper: Reaper
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class DaemonProcess {
  readonly pid: number
  /** Resolves when the process has ended. */
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  readonly #name: string
  readonly #logPath: string
  readonly #ready: Promise<void>
  #exit: Exit | undefined

  private constructor(child: ChildProcess, stdout: Readable, pid: number, options: ProcessOptions) {
    const { name, reaper, logPath } = options
    this.#child = child
    this.#name = name
    this.#logPath = logPath
    this.pid = pid
    reaper.watch(pid)
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        reaper.forget(pid)
        this.#exit = { code, signal }
        resolve(this.#exit)
      })
    })
    this.#ready = new Promise((resolve) => {
      createInterface({ input: stdout }).on('line', (line) => {
        if (field(parse(line), 'event') === 'ready') resolve()
      })
    })
  }

  static start(options: ProcessOptions): DaemonProcess {
    const log = openSync(options.logPath, 'a', 0o600)
    try {
      // Detached: Ctrl-C in the terminal is for whoever runs the cluster to hear.
      const [command = process.execPath, ...args] = [
        ...(options.enter ?? []),
        process.execPath,
        options.program,
        ...options.args,
      ]
      const child = spawn(command, args, {
        detached: true,
        stdio: ['ignore', 'pipe', log],
        env: options.env,
      })
      // What keeps a process from starting is told once more, by this event.
      child.once('error', () => {})
      if (child.pid === undefined || child.stdout === null) {
        throw new P2pdError('ERR_TESTNET', `${command} could not be started`)
      }
      return new DaemonProcess(child, child.stdout, child.pid, options)
    } finally {
      closeSync(log)
    }
  }

  get running(): boolean {
    return this.#exit === undefined
  }

  /** Resolves when the daemon says that it is ready; throws ERR_TESTNET when it ends or is silent instead. */
  async ready(withinMs: number, signal: AbortSignal): Promise<void> {
    const outcome = await within(
      Promise.race([this.#ready.then(() => 'ready' as const), this.exited]),
      withinMs,
      signal,
    )
    if (outcome === 'ready') return
    const what =
      outcome === undefined ? `was not ready after ${withinMs} ms` : `ended (${describeExit(outcome)})`
    throw new P2pdError('ERR_TESTNET', `${this.#name} ${what}; it said: ${this.lastWords()}`)
  }

  /** True when it has ended within `withinMs`. */
  async ended(withinMs: number, signal: AbortSignal): Promise<Exit | undefined> {
    return await within(this.exited, withinMs, signal)
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** The last line of its stderr, for people. */
  lastWords(): string {
    const line = readFileSync(this.#logPath, 'utf8').trimEnd().split('\n').at(-1) ?? ''
    const value = parse(line)
    const error = field(value, 'error')
    if (error !== undefined) return `${field(error, 'code')}: ${field(error, 'message')}`
    return String(field(value, 'msg') ?? line)
  }
}

export function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exit code ${code}` : signal
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

/** What `promise` gives, or undefined after `ms`; throws the signal's reason when it aborts. */
async function within<T>(promise: Promise<T>, ms: number, signal: AbortSignal): Promise<T | undefined> {
  signal.throwIfAborted()
  let timer: NodeJS.Timeout | undefined
  let onAbort: (() => void) | undefined
  const limit = new Promise<undefined>((resolve, reject) => {
    timer = setTimeout(() => resolve(undefined), ms)
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
  }
}

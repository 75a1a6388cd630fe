/** One `p2pd lock … -- COMMAND`, as somebody would type it. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Reaper } from './reaper.ts'

export interface CommandEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** `ERR_…` of the last error that it wrote; undefined for none. */
  readonly error: string | undefined
}

export interface CommandOptions {
  /** Path of the compiled `p2pd`. */
  readonly program: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly reaper: Reaper
}

const maxErrorChars = 64 * 1024

export class LockCommand {
  readonly ended: Promise<CommandEnd>
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, reaper: Reaper) {
    this.#child = child
    let text = ''
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-maxErrorChars)
    })
    const { pid } = child
    if (pid !== undefined) reaper.watch(pid)
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve({ code: null, signal: null, error: error.message }))
      child.once('close', (code, signal) => {
        if (pid !== undefined) reaper.forget(pid)
        resolve({ code, signal, error: text.match(/ERR_[A-Z0-9_]+/g)?.at(-1) })
      })
    })
  }

  static start({ program, args, env, reaper }: CommandOptions): LockCommand {
    // Detached, as daemons are: Ctrl-C in the terminal is for whoever runs the cluster to hear.
    const child = spawn(process.execPath, [program, ...args], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      env,
    })
    return new LockCommand(child, reaper)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/**
 * Keeps daemons and their networks from outliving the process that started them.
 *
 * One detached process a cluster (`reaper-main.ts`) reads pids, and names of
 * network namespaces, from a pipe. The pipe ends with this process, however it
 * dies, SIGKILL included; the reaper then kills and removes what is still listed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('./reaper-main.js', import.meta.url))

export class Reaper {
  readonly #child: ChildProcess
  readonly #pipe: Writable

  private constructor(child: ChildProcess, pipe: Writable) {
    this.#child = child
    this.#pipe = pipe
  }

  static start(): Reaper {
    // Detached: a Ctrl-C in the terminal must not end it before its pipe does.
    const child = spawn(process.execPath, [program], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: {},
    })
    // It ends by its pipe alone, and must not keep this process running.
    child.unref()
    child.on('error', () => {})
    child.stdin.on('error', () => {})
    return new Reaper(child, child.stdin)
  }

  /** `what` is a pid, or the name of a network namespace. */
  watch(what: number | string): void {
    this.#pipe.write(`+${what}\n`)
  }

  /** The process has ended, so its pid may come to belong to somebody else; or the namespace is removed. */
  forget(what: number | string): void {
    this.#pipe.write(`-${what}\n`)
  }

  /** Kills whatever is still watched, and ends the reaper itself. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.ref()
    this.#pipe.end()
    await exited
  }
}

/**
 * How the daemon ends: by a signal, by `leave`, or because it must.
 *
 * The first reason decides the exit code and starts a clock; when that has run
 * out the process ends, whatever hangs. A second signal ends it at once.
 */
import { constants } from 'node:os'
import { type ExitCode, exitCodes } from './exit-code.ts'

/** `p2pd` promises 5 s; the library's own waits add up to less. */
const defaultStopWithinMs = 4800

/** SIGTERM is how a service manager says that all is well. */
const handled = {
  SIGTERM: exitCodes.ok,
  SIGINT: exitCodes.interrupted,
  SIGHUP: exitCodes.hungUp,
} as const satisfies Partial<Record<NodeJS.Signals, ExitCode>>

export class Shutdown {
  readonly #exit: (code: number) => void
  readonly #stopWithinMs: number
  readonly #controller = new AbortController()
  readonly #onSignal = (name: NodeJS.Signals) => this.#signalled(name)
  #exitCode: ExitCode = exitCodes.ok

  /** `exit` ends the process and does not return. */
  constructor(exit: (code: number) => void, stopWithinMs = defaultStopWithinMs) {
    this.#exit = exit
    this.#stopWithinMs = stopWithinMs
    for (const name of Object.keys(handled)) process.on(name, this.#onSignal)
  }

  /** Aborts when the daemon is to end. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get exitCode(): ExitCode {
    return this.#exitCode
  }

  begin(exitCode: ExitCode): void {
    if (this.signal.aborted) return
    this.#exitCode = exitCode
    setTimeout(() => this.#exit(exitCode), this.#stopWithinMs).unref()
    this.#controller.abort()
  }

  /** Resolves when the daemon is to end. */
  begun(): Promise<void> {
    if (this.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      this.signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  /** Signals do again what they do by default. The clock runs on: what hangs must not keep the process. */
  dispose(): void {
    for (const name of Object.keys(handled)) process.off(name, this.#onSignal)
  }

  #signalled(name: NodeJS.Signals): void {
    if (this.signal.aborted) this.#exit(128 + constants.signals[name])
    else this.begin(handled[name as keyof typeof handled])
  }
}

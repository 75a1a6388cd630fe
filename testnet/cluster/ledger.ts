/**
 * The file that all holders of a lock write to, and that refuses old tokens: it
 * keeps the highest that it took. Holders in this process write to it directly;
 * others, commands that run under the lock, through a socket.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { LockLog, Visit } from './lock-log.ts'
import type { Recorder } from './recorder.ts'

/** What a command says, a line each; `at` is its own look at the clock of the machine. */
export type WriterLine =
  | { readonly type: 'entered'; readonly at: number; readonly request: number; readonly token: number }
  /** Answered with `{ "taken": … }`. */
  | { readonly type: 'write'; readonly at: number }
  | { readonly type: 'left'; readonly at: number }

export class Ledger {
  readonly path: string
  readonly socketPath: string
  readonly #lock: string
  readonly #log: LockLog
  readonly #recorder: Recorder
  readonly #file: number
  readonly #server: Server
  readonly #writers = new Set<Socket>()
  #highest = 0

  private constructor(folder: string, lock: string, log: LockLog, recorder: Recorder) {
    this.path = join(folder, 'ledger.txt')
    this.socketPath = join(folder, 'ledger.sock')
    this.#lock = lock
    this.#log = log
    this.#recorder = recorder
    this.#file = openSync(this.path, 'a', 0o600)
    this.#server = createServer((socket) => this.#serve(socket))
  }

  static async open(folder: string, lock: string, log: LockLog, recorder: Recorder): Promise<Ledger> {
    const ledger = new Ledger(folder, lock, log, recorder)
    await new Promise<void>((resolve, reject) => {
      ledger.#server.once('error', reject).listen(ledger.socketPath, resolve)
    })
    return ledger
  }

  /** False when the token is too old. */
  write({ asker: { peer, caller }, request, token = 0 }: Visit): boolean {
    const taken = token >= this.#highest
    this.#log.shown(this.#lock, token, taken)
    if (!taken) return false
    this.#highest = token
    writeSync(this.#file, `${token}\t${peer} ${caller} ${request}\n`)
    return true
  }

  /** A command that still writes ends by it. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of this.#writers) socket.destroy()
    await closed
    closeSync(this.#file)
  }

  #serve(socket: Socket): void {
    let visit: Visit | undefined
    let seenAt = 0
    this.#writers.add(socket)
    const lines = createInterface({ input: socket })
    // A command that is killed takes its end with it; the reader tells of that once more.
    socket.on('error', () => {})
    lines.on('error', () => {})
    lines.on('line', (text) => {
      const line: WriterLine = JSON.parse(text)
      seenAt = this.#recorder.fromMachine(line.at)
      if (line.type === 'entered') {
        visit = this.#log.visit(line.request)
        visit?.entered(line.token, seenAt)
      } else if (visit !== undefined && line.type === 'write') {
        socket.write(`${JSON.stringify({ taken: this.write(visit) })}\n`)
      } else if (visit !== undefined) {
        visit.left('released', seenAt)
      }
    })
    // Nothing that it said is unread by then: it was inside when it last said something.
    socket.on('close', () => {
      this.#writers.delete(socket)
      if (visit === undefined) return
      const { peer, life } = visit.asker
      visit.left(this.#log.isGone(peer, life) ? 'died' : 'lost', seenAt)
    })
  }
}

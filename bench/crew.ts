/** Child processes that talk with each other: ours or the rival's, driven by the JSON lines of `rivals/chat.mjs`. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Driven, startProgram } from './program.ts'

export const programs = { ours: 'p2pd-peer.mjs', raw: 'raw-gossipsub.mjs' } as const
export type Program = keyof typeof programs

export interface Talk {
  readonly phase: number
  /** Messages a second. */
  readonly rate: number
  readonly ms: number
  readonly offsetMs?: number
}

export interface Flood {
  readonly phase: number
  readonly ms: number
  /** Publishes that one member has under way. */
  readonly window: number
  readonly turnEvery?: number
}

export interface CrewOptions {
  /** Of the messages that a member sends to another, so many are lost. */
  readonly loss?: number
  /** Each member talks from the moment it is open. */
  readonly talk?: Talk
  readonly signal: AbortSignal
}

interface Said {
  readonly sent: number
  readonly from: number
}

/** Of one member and phase; see `rivals/ledger.mjs`. */
export interface Report {
  readonly openedAt: number
  readonly received: readonly number[]
  readonly inversions: number
  readonly duplicates: number
  readonly lastAt: number
  /** Seqs of own messages that were lost on the way to somebody. */
  readonly lost: readonly number[]
  readonly published?: readonly number[]
  /** Sender, seq, and ms since it was published. */
  readonly arrivals?: readonly (readonly [sender: number, seq: number, ms: number])[]
}

/** What all members said in one phase, and what became of it. */
export interface Outcome {
  readonly sent: readonly number[]
  /** ms of the machine's clock. */
  readonly from: number
  readonly reports: readonly Report[]
}

/** What has not come after so long without anything coming does not come. */
const stalledMs = 6000
const pollMs = 100

export class Crew {
  readonly #folder: string
  readonly #signal: AbortSignal
  readonly #members: Driven[] = []
  readonly #onAbort = (): void => {
    for (const member of this.#members) member.gone(this.#signal.reason)
  }

  private constructor(folder: string, signal: AbortSignal) {
    this.#folder = folder
    this.#signal = signal
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** One after another; each knows those before it. */
  static async open(program: Program, size: number, options: CrewOptions): Promise<Crew> {
    const crew = new Crew(await mkdtemp(join(tmpdir(), 'p2pd-bench-')), options.signal)
    const secret = randomBytes(32).toString('hex')
    const addresses: string[] = []
    try {
      for (let index = 0; index < size; index++) {
        const member = startProgram(programs[program], crew.#folder)
        crew.#members.push(member)
        const { loss = 0, talk } = options
        const dataDir = join(crew.#folder, `n${index}`)
        const command = { do: 'open', index, size, join: addresses, secret, dataDir, loss, talk }
        const opened = (await member.ask(command)) as { readonly addresses: readonly string[] }
        addresses.push(...opened.addresses.slice(0, 1))
      }
    } catch (error) {
      await crew.close()
      throw error
    }
    return crew
  }

  get pids(): readonly number[] {
    return this.#members.flatMap(({ pid }) => (pid === undefined ? [] : [pid]))
  }

  /** Until everybody hears everybody. */
  async meet(): Promise<void> {
    await this.#all({ do: 'meet' })
  }

  /** `rate` is that of all members together. */
  async talk(talk: Talk): Promise<Outcome> {
    const rate = talk.rate / this.#members.length
    return this.#outcome(
      talk.phase,
      await this.#all((index) => ({ do: 'talk', ...talk, rate, offsetMs: (index * 1000) / talk.rate })),
    )
  }

  async flood(flood: Flood): Promise<Outcome> {
    return this.#outcome(flood.phase, await this.#all({ do: 'flood', ...flood }))
  }

  /** What was said since it was opened to talk. */
  async said(phase: number): Promise<Outcome> {
    return this.#outcome(phase, await this.#all({ do: 'said' }))
  }

  async close(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort)
    await Promise.all(this.#members.map((member) => member.end()))
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #outcome(phase: number, said: readonly unknown[]): Promise<Outcome> {
    const sent = (said as readonly Said[]).map((member) => member.sent)
    const total = sent.reduce((sum, count) => sum + count, 0) * (this.#members.length - 1)
    let most = -1
    let movedAt = performance.now()
    while (most < total && performance.now() - movedAt < stalledMs) {
      const reports = (await this.#all({ do: 'report', phase })) as readonly Report[]
      const received = reports.flatMap((report) => report.received).reduce((sum, count) => sum + count, 0)
      if (received > most) movedAt = performance.now()
      most = Math.max(most, received)
      if (most < total) await delay(pollMs, undefined, { signal: this.#signal })
    }
    const reports = (await this.#all({ do: 'report', phase, arrivals: true })) as readonly Report[]
    return { sent, from: Math.min(...(said as readonly Said[]).map(({ from }) => from)), reports }
  }

  #all(command: object | ((index: number) => object)): Promise<readonly unknown[]> {
    this.#signal.throwIfAborted()
    return Promise.all(
      this.#members.map((member, index) =>
        member.ask(typeof command === 'function' ? command(index) : command),
      ),
    )
  }
}

/**
 * A line for every change of a member, with who says so.
 *
 * A mass death, or churn, would bury everything else: what comes too fast is
 * counted instead, and the sum is a line. With `debug` each is told all the same.
 */
import type { Logger } from 'pino'
import type { MemberChange, MemberView, PeerId } from '../lib/index.ts'

/** So many lines within this time, and the others as a sum at its end. */
const maxLines = 50
const periodMs = 10_000
/** Of which it is told. */
const maxSharedNames = 64

export class MemberLog {
  readonly #log: Logger
  readonly #nameOf: (peer: PeerId) => string
  readonly #periodMs: number
  #lines = 0
  readonly #untold = new Map<MemberChange, number>()
  /** Names that several bear. */
  readonly #shared = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  /** `nameOf` gives a person's name for a peer. */
  constructor(log: Logger, nameOf: (peer: PeerId) => string, limits: { readonly periodMs?: number } = {}) {
    this.#log = log
    this.#nameOf = nameOf
    this.#periodMs = limits.periodMs ?? periodMs
  }

  changed(change: MemberChange, member: MemberView): void {
    if (member.self || change === 'updated') return
    this.#timer ??= setTimeout(() => this.#sum(), this.#periodMs).unref()
    this.#lines += 1
    const level = this.#lines > maxLines ? 'debug' : 'info'
    if (level === 'debug') this.#untold.set(change, (this.#untold.get(change) ?? 0) + 1)
    const { name, peer, generation, reason, accusers } = member
    const by = accusers.map(this.#nameOf)
    const said = {
      ...(reason === undefined ? {} : { reason }),
      ...(by.length > 0 ? { by } : {}),
    }
    this.#log[level]({ member: name, peer, generation, ...said }, `member ${change}`)
  }

  isolated(isolated: boolean): void {
    if (isolated) this.#log.warn('isolated: nothing is heard from anybody, so this peer may be the sick one')
    else this.#log.info('no longer isolated')
  }

  /** Once for each name, until it is one member's alone again. */
  nameConflict(name: string, peers: readonly PeerId[]): void {
    if (peers.length < 2) {
      if (this.#shared.delete(name)) this.#log.info({ name }, 'one member alone bears this name again')
      return
    }
    if (this.#shared.has(name) || this.#shared.size >= maxSharedNames) return
    this.#shared.add(name)
    this.#log.warn({ name, peers }, 'several members bear one name: no command can mean one of them by it')
  }

  stop(): void {
    if (this.#timer !== undefined) this.#sum()
  }

  #sum(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#lines = 0
    if (this.#untold.size === 0) return
    const changes = Object.fromEntries(this.#untold)
    this.#untold.clear()
    this.#log.info({ changes, seconds: this.#periodMs / 1000 }, 'more members have changed')
  }
}

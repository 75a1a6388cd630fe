/**
 * Asking for single headers: of a dot below the log that an envelope names, to
 * check its Lamport time, or of a dot that two members have with different hashes.
 *
 * Asked of one member after the other until somebody knows it, as repair does
 * with ranges. Where everybody who can be reached has answered that he does not, it
 * died with a disk.
 */
import type { PeerId } from '../core.ts'
import type { MulticastConfig } from './config.ts'
import { dotOf, dotText } from './dots.ts'
import type { DotKey, PacketBody, SignedHeader } from './messages.ts'

export interface InquiriesPort {
  readonly now: () => number
  readonly random: () => number
  readonly reachable: () => readonly PeerId[]
  readonly send: (to: PeerId, body: PacketBody) => void
  readonly schedule: (at: number) => void
  /** Of those who can be reached nobody has the header of this dot; told again each round. */
  readonly lost: (dot: DotKey) => void
}

interface Inquiry {
  readonly dot: DotKey
  readonly since: number
  hint: PeerId | undefined
  nextAt: number
  attempts: number
  /** In this round: who was asked, and who has answered without it. */
  readonly asked: Set<PeerId>
  readonly without: Set<PeerId>
  readonly known: Set<string>
}

/** Headers asked for at once. */
const maxInquiries = 1024
/** The odd ids are for inquiries, the even ones for pulls: both are answered by a supply. */
const idStep = 2

export class Inquiries {
  readonly #config: MulticastConfig
  readonly #port: InquiriesPort
  readonly #inquiries = new Map<string, Inquiry>()
  readonly #sent = new Map<number, { readonly inquiry: Inquiry; readonly server: PeerId }>()
  #ids = 1

  constructor(config: MulticastConfig, port: InquiriesPort) {
    this.#config = config
    this.#port = port
  }

  /** `known`: hashes of headers of that dot that are here; only another one is an answer. */
  ask(dot: DotKey, hint: PeerId, known: readonly string[] = []): void {
    const key = dotText(dot)
    const asking = this.#inquiries.get(key)
    for (const hash of known) asking?.known.add(hash)
    if (asking !== undefined || this.#inquiries.size >= maxInquiries) return
    const now = this.#port.now()
    this.#inquiries.set(key, {
      dot,
      since: now,
      hint,
      nextAt: now,
      attempts: 0,
      asked: new Set(),
      without: new Set(),
      known: new Set(known),
    })
    this.run()
  }

  /** Whether `id` was sent to `from`; then `found` are the headers that came. */
  answered(from: PeerId, id: number, found: readonly SignedHeader[]): boolean {
    const sent = this.#sent.get(id)
    if (sent?.server !== from) return false
    this.#sent.delete(id)
    for (const header of found) this.found(header)
    const { inquiry } = sent
    if (this.#inquiries.has(dotText(inquiry.dot))) {
      inquiry.without.add(from)
      inquiry.nextAt = this.#port.now() + this.#config.pullDelayMinMs
      this.#arm()
    }
    return true
  }

  /** It is here, whichever way it came. */
  found(header: SignedHeader): void {
    const key = dotText(dotOf(header))
    if (this.#inquiries.get(key)?.known.has(header.hash) === false) this.#inquiries.delete(key)
  }

  run(): void {
    const now = this.#port.now()
    const reachable = this.#port.reachable()
    for (const [key, inquiry] of this.#inquiries) {
      if (inquiry.nextAt > now) continue
      if (now - inquiry.since > this.#config.holdBackMs) this.#inquiries.delete(key)
      else this.#next(inquiry, reachable, now)
    }
    this.#arm()
  }

  #next(inquiry: Inquiry, reachable: readonly PeerId[], now: number): void {
    const { pullTimeoutMs, pullBackoffMaxMs, truncateAfterMs } = this.#config
    const fresh = reachable.filter((peer) => !inquiry.asked.has(peer))
    const { hint } = inquiry
    const server =
      hint !== undefined && fresh.includes(hint)
        ? hint
        : fresh[Math.floor(this.#port.random() * fresh.length)]
    if (server === undefined) {
      const all = reachable.length > 0 && reachable.every((peer) => inquiry.without.has(peer))
      if (all && now - inquiry.since >= truncateAfterMs) this.#port.lost(inquiry.dot)
      inquiry.asked.clear()
      inquiry.without.clear()
      inquiry.nextAt = now + Math.min(pullBackoffMaxMs, pullTimeoutMs * 2 ** inquiry.attempts)
      inquiry.attempts = Math.min(16, inquiry.attempts + 1)
      return
    }
    inquiry.asked.add(server)
    inquiry.nextAt = now + pullTimeoutMs
    this.#ids += idStep
    this.#sent.set(this.#ids, { inquiry, server })
    if (this.#sent.size > maxInquiries) {
      const [oldest] = this.#sent.keys()
      if (oldest !== undefined) this.#sent.delete(oldest)
    }
    this.#port.send(server, { type: 'inquiry', id: this.#ids, dots: [inquiry.dot] })
  }

  #arm(): void {
    let at = Number.POSITIVE_INFINITY
    for (const { nextAt } of this.#inquiries.values()) at = Math.min(at, nextAt)
    if (at !== Number.POSITIVE_INFINITY) this.#port.schedule(Math.max(at, this.#port.now() + 1))
  }
}

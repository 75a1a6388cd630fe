/**
 * The sessions of a requester with one arbiter.
 *
 * Every frame is numbered. The arbiter acknowledges what it had; a gap on either side ends the
 * session, and the next one begins with all that is outstanding. So a frame that was lost is noticed
 * as soon as something follows it, and something does: what is not acknowledged is followed by a ping.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { mutexLimits } from '../limits.ts'
import type { Answering, Asking, AskingItem, SessionId } from '../messages.ts'
import { fitting } from '../wire/weight.ts'
import { compareNumbers, type RequestKey } from './order.ts'

/** Unanswered frames that are remembered; of more only the oldest count. */
const mostOwed = 64
/** Send times that are remembered before old ones are looked for. */
const sentAtKept = 512

export class VoterLink {
  readonly peer: PeerId
  /** Requests that the arbiter may know of, though they are over here; by the frame that said so, 0 while none did. */
  readonly ending = new Map<RequestKey, number>()
  /** When the last request that it may know of was over. */
  endedAt = Number.NEGATIVE_INFINITY
  lastSentAt = Number.NEGATIVE_INFINITY
  lastOpenedAt = Number.NEGATIVE_INFINITY
  lastDialledAt = Number.NEGATIVE_INFINITY
  /** Since when it says that no session is to be had; undefined while it does not. */
  unavailableSince: number | undefined
  /** The elector wants to know, until then, whether it answers. */
  watchedUntil = Number.NEGATIVE_INFINITY
  #session: SessionId | undefined
  #version = 0
  #sent = 0
  #acknowledged = 0
  #received = 0
  /** Frames that have to be answered, and when they left, the oldest first. */
  #owed: { readonly seq: number; at: number }[] = []
  #items: AskingItem[] = []
  #demands = false
  #renews: ReadonlySet<RequestKey> | undefined
  /** What is over goes with the items that wait. */
  #ends: RequestKey[] = []
  readonly #sentAt = new Map<number, number>()
  readonly #renewing = new Map<number, ReadonlySet<RequestKey>>()

  constructor(peer: PeerId) {
    this.peer = peer
  }

  /** Since when the arbiter owes an answer; undefined when it owes none. */
  get owesSince(): number | undefined {
    return this.#owed[0]?.at
  }

  get isOpen(): boolean {
    return this.#session !== undefined
  }

  /** Of the electorate that this session asks. */
  get version(): number {
    return this.#version
  }

  get hasItems(): boolean {
    return this.#items.length > 0
  }

  /** The number of its last frame. */
  get sent(): number {
    return this.#sent
  }

  /** All that was sent has arrived there. */
  get isAcknowledged(): boolean {
    return this.#acknowledged >= this.#sent && this.#items.length === 0
  }

  open(session: SessionId, version: number, now: number): void {
    this.#session = session
    this.#version = version
    this.#sent = 0
    this.#acknowledged = 0
    this.#received = 0
    this.#owed = []
    this.#items = []
    this.#ends = []
    this.#demands = false
    this.#renews = undefined
    this.#sentAt.clear()
    this.#renewing.clear()
    this.lastOpenedAt = now
    // What is not listed is over there too, as soon as this has arrived.
    for (const key of this.ending.keys()) this.ending.set(key, 1)
  }

  close(): void {
    this.#session = undefined
    this.#items = []
    this.#ends = []
    this.#demands = false
    this.#owed = []
    // The next session says of all of them by silence that they are over.
    const [first] = this.ending.keys()
    this.ending.clear()
    if (first !== undefined) this.ending.set(first, 0)
  }

  /** `demands`: an answer is due at once. */
  push(item: AskingItem, demands: boolean): void {
    if (this.#session === undefined) return
    this.#items.push(item)
    this.#demands ||= demands
  }

  /** With the renewal that was pushed last go these votes. */
  renews(keys: ReadonlySet<RequestKey>): void {
    this.#renews = keys
  }

  /** The own event loop was late by so much: that was not the arbiter's silence, as far as it was owed by then. */
  lagged(ms: number, now: number): void {
    for (const owed of this.#owed) owed.at = Math.min(now, owed.at + ms)
  }

  /** The item that was pushed last says that it is over. */
  ends(key: RequestKey, now: number): void {
    this.endedAt = now
    if (this.#session === undefined && this.ending.size > 0) return
    this.ending.set(key, 0)
    if (this.#session !== undefined) this.#ends.push(key)
  }

  take(now: number, keepMs: number): Asking | undefined {
    if (this.#session === undefined || this.#items.length === 0) return undefined
    this.#sent += 1
    this.#sentAt.set(this.#sent, now)
    this.lastSentAt = now
    if (this.#demands && this.#owed.length < mostOwed) this.#owed.push({ seq: this.#sent, at: now })
    if (this.#renews !== undefined) this.#renewing.set(this.#sent, this.#renews)
    if (this.#sentAt.size > sentAtKept) this.#prune(now - keepMs)
    const items = this.#items.splice(0, fitting(this.#items, mutexLimits.bytesAtOnce))
    this.#demands = false
    this.#renews = undefined
    if (this.#items.length === 0) for (const key of this.#ends.splice(0)) this.ending.set(key, this.#sent)
    return { session: this.#session, seq: this.#sent, ack: this.#received, items }
  }

  /** How a frame stands to this session; `next` has been counted. */
  receive({ session, seq, ack }: Answering): 'old' | 'gap' | 'next' | 'apart' {
    if (this.#session === undefined || compareNumbers(session, this.#session) !== 0) return 'old'
    if (seq === 0) return 'apart'
    if (seq <= this.#received) return 'old'
    if (seq > this.#received + 1 || ack > this.#sent) return 'gap'
    this.unavailableSince = undefined
    this.#received = seq
    this.#acknowledged = Math.max(this.#acknowledged, ack)
    this.#owed = this.#owed.filter(({ seq: owed }) => owed > ack)
    for (const [key, at] of this.ending) if (at > 0 && at <= ack) this.ending.delete(key)
    return 'next'
  }

  /** When the frame of that number left; undefined for one that is long forgotten, or never was. */
  sentAt(seq: number): number | undefined {
    return this.#sentAt.get(seq)
  }

  /** The votes that the renewal in that frame was for. */
  takeRenewing(seq: number): ReadonlySet<RequestKey> {
    const keys = this.#renewing.get(seq) ?? new Set()
    for (const key of this.#renewing.keys()) if (key <= seq) this.#renewing.delete(key)
    return keys
  }

  #prune(before: number): void {
    for (const [seq, at] of this.#sentAt) {
      if (at >= before && this.#sentAt.size <= 8 * sentAtKept) return
      this.#sentAt.delete(seq)
    }
  }
}

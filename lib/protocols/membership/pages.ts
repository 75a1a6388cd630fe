/**
 * What is told of the own view: whole where it is small, else page by page, from
 * where the last page ended, whoever asks. A page fits a link's queue beside
 * whatever else waits there.
 */
import type { PeerId } from '../core.ts'
import { Allowance, type Rate } from './allowance.ts'
import { bucketOf } from './digest.ts'
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import { type Body, bucketCount, type Update } from './messages.ts'
import { sizeOfUpdate } from './packing.ts'
import { Places } from './places.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

export interface PagesPort {
  send(to: PeerId, body: Body, updates: readonly Update[]): void
  /** Self, as others see it. */
  ownUpdate(): Update
}

export type SyncBody = Extract<Body, { type: 'sync' }>

export class Pages {
  /** A peer's request for a whole view is answered at most this often, ms. */
  static readonly answerIntervalMs = 1000
  /** One for a page, ms: a megabyte in a second. */
  static readonly pageIntervalMs = 100
  /** Up to so many bytes of records a view goes as a whole: some eighty members, and one frame. */
  static readonly wholeBytes = 32 * 1024
  /** A page: a link's queue holds 256 KiB, and heartbeats have to get through. */
  static readonly pageBytes = 96 * 1024
  /** What is told in return for a page: whoever lacks more than that asks for itself. */
  static readonly returnBytes = 32 * 1024
  /** Who has not asked for its next page by then does not want it, ms. */
  static readonly patienceMs = 6000
  /** A reader is served for so long, and longer while nobody else waits; then others come first for a while, ms. */
  static readonly turnMs = 3000
  static readonly restMs = 10_000
  /** Pages for one member: its own view twice over and some more, then one a second. */
  static readonly pagesBesides = 16
  /** Rows of those whom somebody dismissed go with each page: no digest speaks of them. */
  static readonly maxDismissed = 64
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #view: View
  readonly #port: PagesPort
  /** Whom this member has more to send, and when it last did. */
  readonly #readers = new Map<PeerId, number>()
  readonly #places: Places
  /** Where the next page begins: else the first parts would be all that anybody gets who is often cut off. */
  #nextBucket: number
  #sent = 0

  constructor(init: MembershipInit, turn: MembershipTurn, view: View, port: PagesPort) {
    this.#init = init
    this.#turn = turn
    this.#view = view
    this.#port = port
    this.#nextBucket = bucketOf(init.self)
    this.#places = new Places({
      most: init.config.maxSyncs,
      turnMs: Pages.turnMs,
      restMs: Pages.restMs,
      displaced: (peer) => this.#readers.delete(peer),
    })
  }

  /** Views, whole or in part. */
  get sent(): number {
    return this.#sent
  }

  /** It has yet to ask for more. */
  isReading(peer: PeerId): boolean {
    this.#forgetStale()
    return this.#readers.has(peer)
  }

  /** `member` has sent its whole view, and asks for the own one. */
  answer(member: Member): void {
    if (!this.isSmall(Pages.wholeBytes)) return this.#sendPage(member, () => true)
    const { now } = this.#turn
    if (now - member.syncAnsweredAt < Pages.answerIntervalMs) return
    member.syncAnsweredAt = now
    member.syncedAt = now
    this.sendView(member.peer, false)
  }

  /** `member` asks for the rows of the buckets in which the two views differ. */
  asked(member: Member, sums: readonly bigint[]): void {
    const own = this.#view.sums
    this.#sendPage(member, (bucket) => own[bucket] !== sums[bucket])
  }

  /** `reply`: and asks for the view of `to`. */
  sendView(to: PeerId, reply: boolean): void {
    const updates: Update[] = []
    for (const member of this.#view.values()) {
      const update = this.#view.tell(member)
      if (!isOwnNews(update, to)) updates.push(update)
    }
    this.#send(to, updates, { reply, buckets: undefined, more: false })
  }

  /** What is here of those buckets and was not in the page: newer rows, and such as `peer` does not have. */
  sendBack(peer: PeerId, buckets: ReadonlySet<number>, agreed: ReadonlySet<PeerId>): void {
    const updates: Update[] = []
    let bytes = 0
    for (const bucket of buckets) {
      for (const update of this.#rowsOf(bucket, peer)) {
        if (agreed.has(update.record.body.peer)) continue
        bytes += sizeOfUpdate(update)
        if (bytes <= Pages.returnBytes) updates.push(update)
      }
    }
    const more = bytes > Pages.returnBytes
    if (updates.length > 0) this.#send(peer, updates, { reply: false, buckets, more })
  }

  isSmall(bytes: number): boolean {
    return this.#view.neighbours.meshed && this.#view.recordBytes <= bytes
  }

  disconnected(peer: PeerId): void {
    this.#gone(peer)
  }

  #gone(peer: PeerId): void {
    this.#readers.delete(peer)
    this.#places.release(peer, this.#turn.now)
  }

  /** What is asked in 2 KiB is answered with a hundred: nobody needs that all the time. */
  #rateOfPages(): Rate {
    const whole = Math.ceil(this.#view.recordBytes / Pages.pageBytes)
    return { burst: 2 * whole + Pages.pagesBesides, perSecond: 1 }
  }

  #sendPage(member: Member, differs: (bucket: number) => boolean): void {
    this.#forgetStale()
    const { now } = this.#turn
    const { peer } = member
    if (now - member.syncAnsweredAt < Pages.pageIntervalMs) return
    const pages = this.#rateOfPages()
    member.pages ??= new Allowance()
    if (!member.pages.has(pages, now) || !this.#places.take(peer, now)) return
    member.pages.take(pages, now)
    member.syncAnsweredAt = now
    const page = this.#page(peer, differs)
    if (page.more) this.#readers.set(peer, now)
    else this.#gone(peer)
    member.syncedAt = now
    const updates = [...page.updates, ...this.#view.dismissals(Pages.maxDismissed)]
    this.#send(peer, updates, { reply: true, buckets: page.buckets, more: page.more })
  }

  /** Of the parts that differ as many as fit, from where the last page ended. */
  #page(peer: PeerId, differs: (bucket: number) => boolean) {
    const updates: Update[] = []
    const buckets = new Set<number>()
    const first = this.#nextBucket
    let bytes = 0
    for (let i = 0; i < bucketCount; i++) {
      const bucket = (first + i) % bucketCount
      if (!differs(bucket)) continue
      if (bytes > Pages.pageBytes) return { updates, buckets, more: true }
      this.#nextBucket = (bucket + 1) % bucketCount
      buckets.add(bucket)
      for (const update of this.#rotated(this.#rowsOf(bucket, peer))) {
        // Records may be so large that a single part is too much for a page; it differs until all have come.
        if (bytes > 2 * Pages.pageBytes) break
        updates.push(update)
        bytes += sizeOfUpdate(update)
      }
    }
    return { updates, buckets, more: false }
  }

  #rotated<T>(rows: readonly T[]): readonly T[] {
    const first = Math.floor(this.#init.random() * rows.length)
    return [...rows.slice(first), ...rows.slice(0, first)]
  }

  #rowsOf(bucket: number, reader: PeerId): Update[] {
    return this.#view.peersIn(bucket).flatMap((peer) => {
      const update = this.#updateOf(peer)
      return update === undefined || isOwnNews(update, reader) ? [] : [update]
    })
  }

  #updateOf(peer: PeerId): Update | undefined {
    if (peer === this.#init.self) return this.#port.ownUpdate()
    const member = this.#view.get(peer)
    return member === undefined ? undefined : this.#view.tell(member)
  }

  #send(to: PeerId, updates: readonly Update[], page: Omit<SyncBody, 'type'>): void {
    this.#sent++
    this.#port.send(to, { type: 'sync', ...page }, updates)
  }

  #forgetStale(): void {
    const since = this.#turn.now - Pages.patienceMs
    for (const [peer, sentAt] of this.#readers) if (sentAt < since) this.#gone(peer)
  }
}

/** To a member itself only what it has to answer is news. */
function isOwnNews({ record, accusations }: Update, reader: PeerId): boolean {
  return record.body.peer === reader && accusations.length === 0
}

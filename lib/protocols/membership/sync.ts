/**
 * Rows, exchanged where digests differ: on first contact, after a heal, and when
 * rumours were lost.
 *
 * A small view goes as a whole, so that first contact takes one round trip:
 *
 *   A ── sync: my rows, and yours? ──▶ B
 *   A ◀────────── sync: mine ───────── B
 *
 * Of a large one only the parts that differ go, a page at a time: what is asked
 * for next depends on what the last page has mended, and a page fits a link's
 * queue beside whatever else waits there.
 *
 *   A ── buckets: my 256 sums ──▶ B
 *   A ◀── sync: my rows of buckets 7, 8 and 30, and yours?  There are more. ── B
 *   A ── sync: mine of those, where they differ ──▶ B
 *   A ── buckets: my sums now ──▶ B     …
 *
 * Who has only few members and meets many is answered with a first page at once.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { MembershipInit } from './init.ts'
import { digestRow, type Member } from './member.ts'
import type { Body, Update } from './messages.ts'
import { Pages, type SyncBody } from './pages.ts'
import { Places } from './places.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

export interface SyncPort {
  send(to: PeerId, body: Body, updates: readonly Update[]): void
  isConnected(peer: PeerId): boolean
}

/** Rows asked of one member. */
interface Session {
  readonly peer: PeerId
  askedAt: number
  /** Not the whole view at once. */
  isPaged: boolean
  /** Asked, and no rows have come yet. */
  awaited: boolean
  /** Asked for the next page, and still waiting. */
  tries: number
  /** Of its rows in this page, those that are here as they are there. */
  readonly agreed: Set<PeerId>
}

export class Sync {
  /** One member is asked for its view at most this often, ms. */
  static readonly requestIntervalMs = 1000
  /** After first contact the sums alone, 2 KiB, cost less than a view from this size on. */
  static readonly wholeAgainBytes = 4 * 1024
  /** Who has not answered by then has others to answer, and is asked again a few times, ms. */
  static readonly patienceMs = 3000
  static readonly maxTries = 5
  /** A sync is gone on with for so long, and longer while nobody else waits; then others come first for a while, ms. */
  static readonly turnMs = 3000
  static readonly restMs = 10_000
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #pages: Pages
  readonly #port: SyncPort
  /** Syncs that this member has begun. */
  readonly #sessions = new Map<PeerId, Session>()
  readonly #places: Places
  #asked = 0
  #firstComparedAt: number | undefined

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    pages: Pages,
    port: SyncPort,
  ) {
    this.#init = init
    this.#turn = turn
    this.#agenda = agenda
    this.#view = view
    this.#pages = pages
    this.#port = port
    this.#places = new Places({
      most: init.config.maxSyncs,
      turnMs: Sync.turnMs,
      restMs: Sync.restMs,
      displaced: (peer) => this.#finish(peer),
    })
  }

  /** Views, whole or in part, that were asked for or sent. */
  get exchanged(): number {
    return this.#asked + this.#pages.sent
  }

  /** Rows are awaited, of that member or of anybody. */
  isUnderWay(peer?: PeerId): boolean {
    if (peer === undefined) return this.#sessions.size > 0
    return this.#sessions.has(peer) || this.#pages.isReading(peer)
  }

  /** A heartbeat told the digest of `member`'s view. */
  compare(member: Member, digest: bigint): void {
    const { now } = this.#turn
    if (digest === this.#view.digest) {
      member.disagreements = 0
      if (this.#sessions.size > 0) this.#finish(member.peer)
      return
    }
    if (member.disagreements++ === 0) member.disagreesSince = now
    this.#firstComparedAt ??= now
    const { syncIntervalMs } = this.#init.config
    // Who has just started missed what was told before; who starts together misses most.
    const young = !this.#view.neighbours.meshed && now - this.#firstComparedAt < 2 * syncIntervalMs
    const intervalMs = young ? Sync.requestIntervalMs : syncIntervalMs
    // While rumours travel digests differ for a moment; on first contact they differ for good. Where there are
    // many some rumour travels all the time, and who joins is not yet one of many.
    const { meshed } = this.#view.neighbours
    const first = meshed && member.syncedAt === Number.NEGATIVE_INFINITY
    const due = now - member.syncedAt >= intervalMs
    const lasting = meshed || now - member.disagreesSince >= intervalMs / 2
    if (!first && (member.disagreements < 2 || !due || !lasting)) return
    this.#begin(member, first)
  }

  /** Contact with a member of which this one thinks ill, or the other way round: much may have happened on either side. */
  disputed(member: Member): void {
    if (this.#view.neighbours.meshed) return
    // One that stays in doubt is as any other from then on.
    const { now } = this.#turn
    const { syncIntervalMs } = this.#init.config
    if (member.syncedAt < member.statusAt || now - member.syncedAt >= syncIntervalMs) this.request(member)
  }

  /** Another protocol asks for it. A sync of a moment ago has brought what there was to bring. */
  request(member: Member): void {
    if (this.#turn.now - member.syncedAt < Sync.requestIntervalMs) return
    this.#begin(member, false)
  }

  /** `member` has sent its rows of those buckets, of all when undefined, and asks for the own ones. */
  answer(member: Member, buckets: ReadonlySet<number> | undefined): void {
    if (buckets === undefined) return this.#pages.answer(member)
    const session = this.#sessions.get(member.peer)
    // Only once for each page that was asked for.
    if (session?.awaited !== true) return
    session.awaited = false
    this.#pages.sendBack(member.peer, buckets, session.agreed)
  }

  /** An update came from a member of which rows are awaited. */
  merged(from: PeerId, { record: { body }, accusations }: Update): void {
    if (this.#sessions.size === 0) return
    const session = this.#sessions.get(from)
    const member = session?.isPaged === true ? this.#view.get(body.peer) : undefined
    if (session === undefined || member === undefined) return
    const told = { suspected: 0, refused: 0, dismissed: 0 }
    for (const accusation of accusations) told[accusation.body.charge]++
    const row = digestRow(body, told.suspected, told.refused, told.dismissed)
    if (row === member.digestRow()) session.agreed.add(body.peer)
  }

  /** The rows that `member` sent are merged. What it returned for a page has nothing to do with what it was asked for. */
  received(member: Member, { buckets, reply, more }: SyncBody): void {
    const session = this.#sessions.get(member.peer)
    if (buckets !== undefined && !reply) {
      if (more && session === undefined) this.request(member)
      return
    }
    if (session === undefined) return
    if (buckets === undefined || !more) return this.#finish(member.peer)
    session.agreed.clear()
    session.isPaged = true
    session.tries = 0
    member.syncedAt = this.#turn.now
    const at = Math.max(this.#turn.now, session.askedAt + Pages.pageIntervalMs + 1)
    this.#agenda.schedule(`sync ${member.peer}`, at, { type: 'sync-on', peer: member.peer })
  }

  /** Time for the next page, or the last one did not come. */
  goOn(peer: PeerId): void {
    const session = this.#sessions.get(peer)
    if (session === undefined || !this.#port.isConnected(peer)) return
    if (session.tries <= Sync.maxTries) return this.#ask(session)
    this.#finish(peer)
    const member = this.#view.get(peer)
    // The next heartbeat begins anew.
    if (member !== undefined) member.syncedAt = Number.NEGATIVE_INFINITY
  }

  disconnected(peer: PeerId): void {
    this.#finish(peer)
    this.#pages.disconnected(peer)
  }

  #finish(peer: PeerId): void {
    if (!this.#sessions.delete(peer)) return
    this.#places.release(peer, this.#turn.now)
    this.#agenda.cancel(`sync ${peer}`)
  }

  #begin(member: Member, first: boolean): void {
    const { peer } = member
    if (!this.#places.take(peer, this.#turn.now)) return
    member.syncedAt = this.#turn.now
    const isPaged = !this.#pages.isSmall(first ? Pages.wholeBytes : Sync.wholeAgainBytes)
    const session = {
      peer,
      askedAt: this.#turn.now,
      isPaged,
      awaited: true,
      tries: 0,
      agreed: new Set<PeerId>(),
    }
    this.#sessions.set(peer, session)
    if (isPaged) return this.#ask(session)
    this.#awaitAnswer(session)
    this.#pages.sendView(peer, true)
  }

  #ask(session: Session): void {
    session.askedAt = this.#turn.now
    session.isPaged = true
    session.awaited = true
    session.tries++
    this.#asked++
    this.#port.send(session.peer, { type: 'buckets', sums: this.#view.sums }, [])
    this.#awaitAnswer(session)
  }

  #awaitAnswer({ peer }: Session): void {
    const at = this.#turn.now + Sync.patienceMs * (1 + 0.5 * this.#init.random())
    this.#agenda.schedule(`sync ${peer}`, at, { type: 'sync-on', peer })
  }
}

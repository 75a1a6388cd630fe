import type { PeerId } from '../../../lib/protocols/core.ts'
import type { Report } from '../../../plugins/mutex/core/electorate/messages.ts'
import type { Asking, Frame } from '../../../plugins/mutex/core/messages.ts'
import type { Ballots } from './ballots.ts'
import type { Elections } from './elections.ts'
import { isMajority, type Ledger, requestText } from './ledger.ts'
import type { Life, LockHost } from './lock-host.ts'

/** A vote of the version before, as its heir was told of it. */
interface Bequest {
  readonly lock: string
  readonly request: string
  /** On the clock of the heir's machine. */
  readonly endsAt: number
}

/** What one life of a voter was told before it installed a version. */
interface Will {
  readonly reports: Map<PeerId, readonly Bequest[]>
  /** Of what others have installed; each says something else, for renewals differ. */
  readonly copies: (readonly Bequest[])[]
}

/** What wraps rounding of a remaining time, ms. */
const toleranceMs = 2

/**
 * How votes pass from one version to the next: a voter reports all that it has
 * given, nobody serves before a quorum has reported, and whatever was reported
 * blocks its lock until it is given up or over.
 */
export class Handovers {
  readonly #ledger: Ledger
  readonly #ballots: Ballots
  readonly #elections: Elections
  readonly #wills = new Map<Life, Map<string, Will>>()
  /** By heir, electorate and version. */
  readonly #bequests = new Map<string, readonly Bequest[]>()
  /** By heir: requests that their owners have ended, or ask anew. */
  readonly #over = new Map<LockHost, Set<string>>()

  constructor(ledger: Ledger, ballots: Ballots, elections: Elections) {
    this.#ledger = ledger
    this.#ballots = ballots
    this.#elections = elections
  }

  /** A core is about to be stepped with it. */
  received(life: Life, from: PeerId, { id, asking, items }: Frame): void {
    if (asking !== undefined) this.#endings(life, from, asking)
    if (id === undefined) return
    for (const item of items) {
      if (item.type === 'report') this.#hear(life, id, item.version + 1, from, item.report, false)
      else if (item.type === 'copy') this.#hear(life, id, item.version, from, item.report, true)
    }
  }

  /** It leaves. */
  sent(life: Life, to: PeerId, { id, answering, items }: Frame): void {
    if (id === undefined) return
    for (const item of items) {
      if (item.type === 'installed' || item.type === 'copy') this.#install(life, id, item.version)
      else if (item.type === 'head' && item.serving > 0) this.#install(life, id, item.serving)
      else if (item.type === 'report') this.#judgeReport(life, id, item.version, item.report)
    }
    if (answering === undefined) return
    const version = this.#ballots.versionOf(to, life.host.peer, answering.session)
    if (version === undefined) return
    for (const item of answering.items) {
      if (item.type !== 'grant' && item.type !== 'confirmed' && item.type !== 'renewed') continue
      this.#install(life, id, version)
      if (item.type === 'grant') this.#judgeGrant(life, id, version, requestText(item.vote.request))
    }
  }

  #hear(life: Life, id: string, version: number, from: PeerId, report: Report, isCopy: boolean): void {
    const wills = this.#wills.get(life) ?? new Map<string, Will>()
    this.#wills.set(life, wills)
    const will: Will = wills.get(`${id} ${version}`) ?? { reports: new Map(), copies: [] }
    wills.set(`${id} ${version}`, will)
    const { clock } = life.host
    const bequests = report.grants.map(({ lock, request, remainingMs }) => ({
      lock,
      request: requestText(request),
      endsAt: clock.now + remainingMs,
    }))
    if (isCopy) will.copies.push(bequests)
    // What comes after a quorum may be left out.
    else if (!this.#isEnough(life, id, version, will)) will.reports.set(from, bequests)
  }

  #isEnough({ host }: Life, id: string, version: number, { reports }: Will): boolean {
    const before = this.#elections.votersOf(id, version - 1)
    return before === undefined || isMajority(before, new Set([host.peer, ...reports.keys()]))
  }

  /** It says, or shows, that it has installed that version: once it has, for good. */
  #install(life: Life, id: string, version: number): void {
    const { host } = life
    const key = `${host.peer} ${id} ${version}`
    if (version === 1 || this.#bequests.has(key)) return
    const before = this.#elections.votersOf(id, version - 1) ?? []
    const will = this.#wills.get(life)?.get(`${id} ${version}`)
    // Whoever voted alone is its own witness, and crosses no wire.
    const isOwn = isMajority(before, new Set([host.peer]))
    this.#bequests.set(key, will === undefined || isOwn ? [] : sureOf(will))
    if (isOwn) return
    if ((will?.copies.length ?? 0) > 0 || this.#mayHaveBefore(life, id, version)) return
    if (will !== undefined && this.#isEnough(life, id, version, will)) return
    const reporters = [...(will?.reports.keys() ?? [])]
    const message = `${host.name} installs version ${version} from reports of [${reporters}]`
    this.#ledger.breach('installs-from-quorum', message)
  }

  /** An earlier life was told enough, and may have installed it just before it ended. */
  #mayHaveBefore(life: Life, id: string, version: number): boolean {
    return [...this.#wills].some(([other, wills]) => {
      const will = wills.get(`${id} ${version}`)
      if (other.host !== life.host || will === undefined) return false
      return will.copies.length > 0 || this.#isEnough(other, id, version, will)
    })
  }

  #judgeGrant({ host }: Life, id: string, version: number, request: string): void {
    const lock = this.#ballots.lockOf(request)
    for (const bequest of this.#bequests.get(`${host.peer} ${id} ${version}`) ?? []) {
      // What it has to say to itself crosses no wire.
      if (bequest.lock !== lock || bequest.request === request || bequest.request.startsWith(host.peer))
        continue
      if (this.#over.get(host)?.has(bequest.request) === true) continue
      if (host.clock.now + toleranceMs >= bequest.endsAt) continue
      const message = `${host.name} votes for ${request} in ${lock}, which ${bequest.request} had in the version before`
      this.#ledger.breach('inherited-blocks', message)
    }
  }

  #judgeReport(life: Life, id: string, version: number, { grants, unknownForMs }: Report): void {
    const reported = new Set(grants.map(({ request }) => requestText(request)))
    for (const { request, remainingMs } of this.#ballots.outstanding(life.host, id, version)) {
      if (reported.has(request) || remainingMs <= unknownForMs + toleranceMs) continue
      const message = `${life.host.name} does not report its vote for ${request} in version ${version}`
      this.#ledger.breach('reports-all', message)
    }
  }

  /** Its owner says that it is over, no longer lists it, or asks for it anew. */
  #endings(life: Life, from: PeerId, { session, items }: Asking): void {
    const over = this.#over.get(life.host) ?? new Set<string>()
    this.#over.set(life.host, over)
    for (const item of items) {
      if (item.type === 'release' || item.type === 'cancel') over.add(requestText(item.request))
      else if (item.type === 'request') over.add(requestText(item.request.request))
      else if (item.type === 'sync') {
        const held = item.requests.filter(({ token }) => token > 0).map(({ request }) => requestText(request))
        const ofThatLife = this.#heard(life).filter((request) =>
          request.startsWith(`${from}#${session.generation}.`),
        )
        for (const request of ofThatLife) if (!held.includes(request)) over.add(request)
      }
    }
  }

  /** All that it was ever told of, whether it has installed it or not. */
  #heard({ host }: Life): readonly string[] {
    const wills = [...this.#wills].flatMap(([life, map]) => (life.host === host ? [...map.values()] : []))
    return wills.flatMap(({ reports, copies }) =>
      [...reports.values(), ...copies].flat().map(({ request }) => request),
    )
  }
}

/** What an heir has used for sure, whichever copy it took, or the reports: the shortest of the times. */
function sureOf({ reports, copies }: Will): readonly Bequest[] {
  const reported = [...reports.values()].flat()
  const sources = reports.size === 0 ? copies : [reported, ...copies]
  const all = sources.flat()
  const sure = all.filter(({ request }) => sources.every((source) => isIn(source, request)))
  return sure.map((bequest) => {
    const ends = all.filter(({ request }) => request === bequest.request).map(({ endsAt }) => endsAt)
    return { ...bequest, endsAt: Math.min(...ends) }
  })
}

function isIn(bequests: readonly Bequest[], request: string): boolean {
  return bequests.some((bequest) => bequest.request === request)
}

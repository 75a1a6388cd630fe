/**
 * From one version to the next: seal, report, install, serve.
 *
 * A voter seals what it has installed, and only while a quorum of the next version
 * answers: until then the old one serves. Who votes next serves after installing what
 * a quorum of the old version reports, or a copy of one that has. A sealed voter reports as often as
 * it is asked, until it installs a later version itself.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { recoveryLead } from '../limits.ts'
import type { ElectorateItem, Report } from './messages.ts'
import type { Stamps } from './stamps.ts'
import type { Standing } from './standing.ts'

const shortestPauseMs = 300
const longestPauseMs = 2000
/** How often those are told of an installation who need not answer. */
const mostAnnouncements = 6
/**
 * What a liar may have made an honest voter count up to is taken from it all the same: it has sealed, and
 * its report is needed. What is left above is for whoever counts on.
 */
const mostFloor = Number.MAX_SAFE_INTEGER - 2 * recoveryLead

/** Times are rounded up to whole milliseconds wherever they are handed on. */
const roundingMs = 1000

type Of<Type extends ElectorateItem['type']> = Extract<ElectorateItem, { type: Type }>

export interface InstallingEvents {
  /** Somebody has begun with the last version. */
  began(): void
  /** More voters are known to have installed it. */
  installed(): void
}

export class Installing {
  readonly #standing: Standing
  readonly #stamps: Stamps
  readonly #events: InstallingEvents
  /** Of the version before, by who sent it. */
  readonly #reports = new Map<PeerId, { readonly report: Report; readonly at: number }>()
  /** The last version that each voter is known to have installed. */
  readonly #installed = new Map<PeerId, number>()
  /** Connected voters that do not serve the version in force, and since when they say so. */
  readonly #idle = new Map<PeerId, number>()
  /** Who asked for a report that waits for the seal to be known. */
  readonly #waiting = new Set<PeerId>()
  #pauseMs = shortestPauseMs
  #fetchAt = Number.NEGATIVE_INFINITY
  #announcements = 0

  constructor(standing: Standing, stamps: Stamps, events: InstallingEvents) {
    this.#standing = standing
    this.#stamps = stamps
    this.#events = events
  }

  /** There is a new last version. */
  changed(): void {
    this.#reports.clear()
    this.#waiting.clear()
    this.#pauseMs = shortestPauseMs
    this.#fetchAt = Number.NEGATIVE_INFINITY
    this.#announcements = 0
    const { concerned } = this.#standing
    for (const peer of this.#installed.keys()) if (!concerned.has(peer)) this.#installed.delete(peer)
    this.drive()
  }

  /** Another electorate. */
  forget(): void {
    this.#installed.clear()
  }

  /** Does what can be done now, and asks for what is missing. */
  drive(): void {
    const { version, isVoid } = this.#standing
    if (version === 0 || isVoid) return
    if (!this.#standing.votesIn(version) || this.ownVersion === version) {
      this.#serve()
      return
    }
    if (version === 1) {
      if (this.#stamps.isClear(1)) this.#install([])
      return
    }
    this.#serve()
    this.#reportOwn()
    this.#fetch()
    this.#tryInstall()
  }

  /** Those who have installed the last version are a quorum of it. */
  get isDone(): boolean {
    const { version } = this.#standing
    return this.#standing.isQuorumOf(version, this.installers)
  }

  /** Who is known to have installed the last version. */
  get installers(): ReadonlySet<PeerId> {
    const { host, version } = this.#standing
    const installers = new Set<PeerId>()
    for (const [peer, installed] of this.#installed) if (installed >= version) installers.add(peer)
    if (this.ownVersion === version) installers.add(host.self)
    return installers
  }

  /** The version that this voter has installed; 0 for none of the last two. */
  get ownVersion(): number {
    const { host, version, isVoid } = this.#standing
    const { installed } = host.arbiter.state
    const isRecent = installed > 0 && (installed === version || installed === version - 1)
    return isRecent && !isVoid && this.#standing.votesIn(installed) ? installed : 0
  }

  /** A voter says which version it serves; 0 for none, as one does that is void. */
  hearServing(peer: PeerId, version: number): void {
    const { host, live } = this.#standing
    const wasIdle = this.#idle.has(peer)
    const isIdle = version < live && this.#standing.votersOf(live).includes(peer)
    if (!isIdle) this.#idle.delete(peer)
    else if (!wasIdle) this.#idle.set(peer, host.now)
    if (isIdle !== wasIdle) host.viewChanged()
    this.noteInstalled(peer, version)
  }

  /** It has said for a while that it serves nothing, or an older version than the one in force. */
  isIdle(peer: PeerId): boolean {
    const { host } = this.#standing
    const since = this.#idle.get(peer)
    return since !== undefined && host.now - since >= host.config.silenceMs
  }

  disconnected(peer: PeerId): void {
    this.#idle.delete(peer)
  }

  noteInstalled(peer: PeerId, version: number): void {
    if (version === 0 || version > this.#standing.version) return
    if (!this.#standing.votersOf(version).includes(peer)) return
    if (version >= this.#standing.live) this.#idle.delete(peer)
    if ((this.#installed.get(peer) ?? 0) >= version || !this.#standing.concerned.has(peer)) return
    this.#installed.set(peer, version)
    if (this.#standing.begin(version)) this.#events.began()
    if (version === this.#standing.version) this.#events.installed()
  }

  /** A voter that asked to be told is told. */
  receiveInstalled(from: PeerId, { version }: Of<'installed'>): void {
    const isNews = (this.#installed.get(from) ?? 0) < version
    this.noteInstalled(from, version)
    const own = this.ownVersion
    if (isNews && own === version && own === this.#standing.version) {
      this.#standing.host.send(from, { type: 'installed', version: own })
    }
  }

  receiveFetch(from: PeerId, { version: old }: Of<'fetch'>): void {
    const { host, version } = this.#standing
    if (old + 1 !== version) return
    if (this.ownVersion === version) {
      host.send(from, { type: 'copy', version, report: host.arbiter.report() })
    } else if (this.ownVersion === old && this.#seal()) {
      this.#waiting.add(from)
      this.#stamps.whenAcknowledged('report', [old, version], () => this.#report(old))
    }
  }

  receiveReport(from: PeerId, { version: old, report }: Of<'report'>): void {
    const { host, version } = this.#standing
    if (old + 1 !== version) return
    if (this.#standing.begin(version)) this.#events.began()
    if (!this.#standing.votesIn(version) || this.ownVersion === version) return
    const credible = this.#credible(from, report)
    if (credible === undefined) return
    this.#reports.set(from, { report: credible, at: host.now })
    this.#tryInstall()
  }

  receiveCopy(from: PeerId, { version: of, report }: Of<'copy'>): void {
    const { version } = this.#standing
    if (of !== version) return
    this.noteInstalled(from, version)
    if (!this.#standing.votesIn(version) || this.ownVersion === version) return
    const credible = this.#credible(from, report)
    if (credible !== undefined && this.#stamps.isClear(version)) this.#install([credible])
  }

  connected(peer: PeerId): void {
    const { version, host } = this.#standing
    if (!this.#standing.concerned.has(peer)) return
    if (this.ownVersion === version && !this.installers.has(peer)) {
      host.send(peer, { type: 'installed', version })
    } else if (this.#standing.votesIn(version)) {
      this.#pauseMs = shortestPauseMs
      this.#fetchAt = Number.NEGATIVE_INFINITY
      this.drive()
    }
  }

  /** Tells those who have not said that they have installed it too. */
  announce(): void {
    const { host, version, concerned } = this.#standing
    host.cancel('installed')
    if (this.ownVersion !== version) return
    const { installers } = this
    const others = [...concerned].filter((peer) => !installers.has(peer))
    for (const peer of others) {
      if (host.isConnected(peer)) host.send(peer, { type: 'installed', version })
    }
    this.#announcements += 1
    if (others.length === 0 || this.#announcements >= mostAnnouncements) return
    const pauseMs = shortestPauseMs * 2 ** this.#announcements
    host.schedule('installed', host.now + pauseMs, () => this.announce())
  }

  /** Seals what is installed, if the next version can do without it. */
  #seal(): boolean {
    const { host, units, version } = this.#standing
    const { sealed, installed } = host.arbiter.state
    if (sealed === installed) return true
    const next = this.#standing.voters
    if (!this.#stamps.isClear(installed) || !units.maySeal(next, this.#standing.answering(next))) return false
    this.#standing.unstamped = true
    host.arbiter.seal()
    if (this.#standing.begin(version)) this.#events.began()
    return true
  }

  #report(old: number): void {
    const { host } = this.#standing
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    if (this.ownVersion !== old || host.arbiter.state.sealed !== old) return
    for (const peer of waiting)
      host.send(peer, { type: 'report', version: old, report: host.arbiter.report() })
  }

  #reportOwn(): void {
    const { version, host } = this.#standing
    const old = version - 1
    if (this.ownVersion !== old || this.#reports.has(host.self) || !this.#seal()) return
    this.#stamps.whenAcknowledged('own report', [old, version], () => {
      if (this.#standing.version !== version || this.ownVersion !== old) return
      this.#reports.set(host.self, { report: host.arbiter.report(), at: host.now })
      this.#tryInstall()
    })
  }

  #fetch(): void {
    const { host, version, concerned } = this.#standing
    if (host.now < this.#fetchAt) return
    this.#fetchAt = host.now + this.#pauseMs
    for (const peer of concerned) {
      if (peer === host.self || this.#reports.has(peer)) continue
      if (this.#standing.reach(peer)) host.send(peer, { type: 'fetch', version: version - 1 })
    }
    host.schedule('fetch', this.#fetchAt, () => this.#fetchAgain())
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 1.5)
  }

  #fetchAgain(): void {
    if (this.ownVersion !== this.#standing.version) this.drive()
  }

  #tryInstall(): void {
    const { host, units, version } = this.#standing
    if (this.ownVersion === version || !this.#stamps.isClear(version)) return
    const old = this.#standing.votersOf(version - 1)
    if (!units.mayInstall(old, new Set(this.#reports.keys()))) return
    const reports = [...this.#reports].map(([peer, { report, at }]) =>
      // What this voter itself knows it knows better now.
      peer === host.self ? host.arbiter.report() : aged(report, host.now - at),
    )
    this.#install(reports)
  }

  #install(reports: readonly Report[]): void {
    const { host, units, chain, version } = this.#standing
    if (chain === undefined) return
    this.#standing.unstamped = true
    host.arbiter.install(chain.electorate(), reports.length === 0 ? [] : [units.merge(reports)])
    this.#reports.clear()
    host.cancel('fetch')
    if (this.#standing.begin(version)) this.#events.began()
    this.#announcements = 0
    this.announce()
    host.viewChanged()
    this.#events.installed()
  }

  /** Serves what is installed, once others know its stamp. */
  #serve(): void {
    const { host } = this.#standing
    const own = this.ownVersion
    const { serving, sealed, installed } = host.arbiter.state
    if (own === 0 || own < this.#standing.live || serving || sealed === installed) return
    if (!this.#stamps.isClear(own) || !this.#stamps.isAcknowledgedBy(own)) return
    host.arbiter.serve()
    host.viewChanged()
  }

  /** As far as it can be true: no lease is longer than the charter says. Undefined when nothing of it can be taken. */
  #credible(from: PeerId, report: Report): Report | undefined {
    const { chain, host } = this.#standing
    const mostMs = chain?.charter.maxLeaseMs ?? 0
    if (report.floor > mostFloor) {
      host.misbehaved(from, 'token-too-far')
      return undefined
    }
    const times = [
      report.unknownForMs,
      report.longestLeaseMs,
      ...report.grants.map((grant) => grant.remainingMs),
    ]
    if (times.some((ms) => ms > mostMs + roundingMs)) host.misbehaved(from, 'lease-too-long')
    return {
      ...report,
      grants: report.grants.map((grant) => ({ ...grant, remainingMs: Math.min(mostMs, grant.remainingMs) })),
      unknownForMs: Math.min(mostMs, report.unknownForMs),
      longestLeaseMs: Math.min(mostMs, report.longestLeaseMs),
    }
  }
}

/** Remaining times run down while a report waits for others. */
function aged(report: Report, elapsedMs: number): Report {
  return {
    ...report,
    grants: report.grants.map((grant) => ({
      ...grant,
      remainingMs: Math.max(0, grant.remainingMs - elapsedMs),
    })),
    unknownForMs: Math.max(0, report.unknownForMs - elapsedMs),
  }
}

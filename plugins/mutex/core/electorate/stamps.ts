/**
 * Stamps: whether the own disk is the newest that there was.
 *
 * A voter tells the others the stamp of its lock state, and they keep the highest
 * on their disks. Before it acts in a life, a voter has asked as many of them as
 * make a quorum with itself; what it writes later is told to as many before others
 * build on it. A disk that was restored from a backup shows as a stamp that others know a higher one of.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { isQuorum, quorumSize } from '../../../../lib/protocols/quorum/quorum.ts'
import { compareStamps, noStamp } from './ballot.ts'
import { decodeNumbers, decodeStampPair, electorateKeys, encodeNumbers, encodeStampPair } from './keeping.ts'
import type { ElectorateItem, Stamp } from './messages.ts'
import type { Standing } from './standing.ts'

/** Of how many peers stamps are kept. */
const mostKept = 256
const longestPauseMs = 8000

type StartItem = Extract<ElectorateItem, { type: 'start' }>
type StartAnswer = Extract<ElectorateItem, { type: 'start-answer' }>

/** Of another voter: its highest stamp, and the highest of a life before. */
interface Known {
  readonly now: Stamp
  readonly before: Stamp
}

/** What waits for others to know the own stamp. */
interface Deferred {
  readonly versions: readonly number[]
  readonly act: () => void
}

export interface StampEvents {
  /** This life may act on what it finds on disk, or more is acknowledged than before. */
  progressed(): void
  /** Others know a later state of this disk; `version` is the one that they stand at. */
  rolledBack(version: number): void
}

export class Stamps {
  readonly #standing: Standing
  readonly #events: StampEvents
  readonly #known = new Map<PeerId, Known>()
  /** Who has this own stamp on disk. */
  readonly #acked = new Map<PeerId, Stamp>()
  /** Who knew nothing higher, in this life. */
  readonly #cleared = new Set<PeerId>()
  /** Highest own stamp that others told of when this peer was void: it is held against it no more. */
  #pardon: Stamp = noStamp
  #wasVoid = false
  /** What was on disk when the first life began that nobody has vouched for yet, and that life. */
  #base: Stamp = noStamp
  #firstLife = 0
  /** This life has been vouched for once: a sole voter needs nobody further. */
  #isVouched = false
  #isBaseKept = false
  #hasMet = false
  #startedAt = 0
  #graceUntil: number | undefined
  #pauseMs = 0
  #acknowledged: Stamp = noStamp
  readonly #deferred = new Map<string, Deferred>()

  constructor(standing: Standing, events: StampEvents) {
    this.#standing = standing
    this.#events = events
  }

  start(): void {
    const { host } = this.#standing
    for (const [key, value] of host.durable) {
      if (!key.startsWith(electorateKeys.stampPrefix)) continue
      const [now, before] = decodeStampPair(value)
      this.#known.set(key.slice(electorateKeys.stampPrefix.length) as PeerId, { now, before })
    }
    const voided = host.durable.get(electorateKeys.voided)
    if (voided !== undefined) {
      const [version = 0, generation = 0, write = 0] = decodeNumbers('verdict on the own disk', voided, 3)
      this.#standing.voidedAt = version
      this.#pardon = { generation, write }
    }
    const base = host.durable.get(electorateKeys.base)
    const [stamp, first] = base === undefined ? [host.stamp, undefined] : decodeStampPair(base)
    this.#base = stamp
    this.#firstLife = first?.generation ?? host.generation
    this.#startedAt = host.now
    this.#wasVoid = this.#standing.isVoid
    this.#hasMet = this.#standing.number(electorateKeys.met) > 0
    this.#isBaseKept = true
    if (base === undefined) {
      // Written by a life that nobody vouches for, it must not pass for old knowledge in the next.
      host.remember(
        electorateKeys.base,
        encodeStampPair(this.#base, { generation: host.generation, write: 0 }),
      )
    }
  }

  /** There is lock state that somebody else may know of. */
  get #isSeasoned(): boolean {
    return compareStamps(this.#base, noStamp) > 0
  }

  /** Somebody else is there: it may know more than this disk, some day. */
  #meet(): void {
    if (this.#hasMet || this.#standing.chain === undefined) return
    this.#hasMet = true
    this.#standing.keepNumber(electorateKeys.met, 1)
  }

  /** This life may act for `version`, on what it found on its disk. */
  isClear(version: number): boolean {
    const { host } = this.#standing
    const voters = this.#standing.votersOf(version)
    if (this.#standing.isVoid || !voters.includes(host.self)) return false
    if (voters.length === 1) return this.#isVouched || this.#soleIsVouched()
    const own = new Set([host.self, ...this.#cleared])
    const isKnown = [version, this.#standing.version].some((of) => this.#standing.isQuorumOf(of, own))
    if (!isKnown) return false
    if (this.#isVouched) return true
    // Whoever could still know more gets a moment to say so.
    const missing = voters.some((peer) => !own.has(peer) && host.answers(peer))
    if (!missing) return this.#vouch()
    this.#graceUntil ??= host.now + host.config.readyWithinMs
    if (host.now >= this.#graceUntil) return this.#vouch()
    host.schedule('grace', this.#graceUntil, () => this.#events.progressed())
    return false
  }

  /** With nobody else to ask, it asks the members that it knows. */
  #soleIsVouched(): boolean {
    const { host } = this.#standing
    if (!this.#isSeasoned || !this.#hasMet) return this.#vouch()
    const members = host.members().filter(({ status }) => status === 'alive' || status === 'suspect')
    if (members.length > 0 && members.every(({ peer }) => this.#cleared.has(peer))) return this.#vouch()
    const until = this.#startedAt + host.config.askMembersMs
    if (host.now >= until) return this.#vouch()
    host.schedule('grace', until, () => this.#events.progressed())
    return false
  }

  #vouch(): true {
    const { host } = this.#standing
    this.#isVouched = true
    host.cancel('grace')
    if (this.#isBaseKept) host.remember(electorateKeys.base, undefined)
    this.#isBaseKept = false
    return true
  }

  /**
   * `act` once a quorum of one of `versions`, this peer included, has what this step writes
   * on disk. A later one of the same key takes its place.
   */
  whenAcknowledged(key: string, versions: readonly number[], act: () => void): void {
    this.#deferred.delete(key)
    if (this.isAcknowledgedBy(...versions)) act()
    else this.#deferred.set(key, { versions, act })
  }

  /** All that was written so far is known to a quorum of one of these versions. */
  isAcknowledgedBy(...versions: readonly number[]): boolean {
    if (this.#standing.unstamped) return false
    const { stamp } = this.#standing.host
    return versions.some((version) => compareStamps(this.#quorumStamp(version), stamp) >= 0)
  }

  /** The highest own stamp that a quorum of `version` has on disk. */
  #quorumStamp(version: number): Stamp {
    const { host } = this.#standing
    const voters = this.#standing.votersOf(version)
    if (!voters.includes(host.self)) return noStamp
    const others = voters
      .filter((peer) => peer !== host.self)
      .map((peer) => this.#acked.get(peer) ?? noStamp)
      .sort((a, b) => compareStamps(b, a))
    const needed = quorumSize(voters.length) - 1
    return needed === 0 ? host.stamp : (others[needed - 1] ?? noStamp)
  }

  /** The own stamp has risen: it is told, and what waited for nobody else goes on. */
  stamped(): void {
    this.#standing.unstamped = false
    this.#pauseMs = 0
    this.ask()
    this.#settle()
  }

  /** What is acknowledged by now goes on. */
  #settle(): void {
    const { host } = this.#standing
    if (this.#standing.unstamped) return
    const stamp = this.#quorumStamp(host.arbiter.state.installed)
    if (compareStamps(stamp, this.#acknowledged) > 0) {
      this.#acknowledged = stamp
      host.arbiter.acknowledged(stamp)
    }
    // What one of them writes, the next waits for.
    for (let next = this.#nextDeferred(); next !== undefined; next = this.#nextDeferred()) next.act()
    this.#events.progressed()
  }

  #nextDeferred(): Deferred | undefined {
    for (const [key, deferred] of this.#deferred) {
      if (!this.isAcknowledgedBy(...deferred.versions)) continue
      this.#deferred.delete(key)
      return deferred
    }
    return undefined
  }

  /** Asks all who have not said that they know this state, and again until they do. */
  ask(): void {
    const { host } = this.#standing
    const askees = [...this.#askees()]
    for (const peer of askees) this.#askOne(peer)
    host.cancel('start')
    if (askees.length === 0) return
    this.#pauseMs = Math.min(longestPauseMs, Math.max(host.config.pingMs, this.#pauseMs * 2))
    host.schedule('start', host.now + this.#pauseMs, () => this.ask())
  }

  #askOne(peer: PeerId): void {
    const { host } = this.#standing
    if (this.#standing.reach(peer)) host.send(peer, { type: 'start', stamp: host.stamp, base: this.#base })
  }

  *#askees(): Iterable<PeerId> {
    const { host, chain } = this.#standing
    if (chain === undefined) return
    const asked = this.#asked()
    for (const peer of asked) {
      if (peer === host.self) continue
      const stamp = this.#acked.get(peer)
      if (!this.#cleared.has(peer) || stamp === undefined || compareStamps(stamp, host.stamp) < 0) yield peer
    }
  }

  #asked(): ReadonlySet<PeerId> {
    const { host, version, voters, concerned } = this.#standing
    if (this.#standing.isVoid) return new Set(this.#standing.isReturning ? [] : voters)
    if (!concerned.has(host.self)) return new Set()
    const isAlone = voters.length === 1 || this.#standing.votersOf(version - 1).length === 1
    if (!isAlone || this.#isVouched) return concerned
    return new Set([...concerned, ...host.connected()])
  }

  connected(peer: PeerId): void {
    this.#meet()
    if ([...this.#askees()].includes(peer)) {
      this.#pauseMs = 0
      this.ask()
    }
  }

  /** A frame of a peer of this electorate, no further than this one, bore the stamp. */
  hear(from: PeerId, stamp: Stamp): void {
    if (this.#known.has(from) || this.#standing.concerned.has(from)) this.#keep(from, stamp)
  }

  #keep(from: PeerId, stamp: Stamp): Known {
    const known = this.#known.get(from) ?? { now: noStamp, before: noStamp }
    if (compareStamps(stamp, known.now) <= 0) return known
    const before = stamp.generation > known.now.generation ? known.now : known.before
    const next = { now: stamp, before }
    this.#known.delete(from)
    this.#known.set(from, next)
    this.#standing.host.remember(electorateKeys.stamp(from), encodeStampPair(stamp, before))
    this.#evict()
    return next
  }

  #evict(): void {
    if (this.#known.size <= mostKept) return
    const { concerned, host } = this.#standing
    for (const peer of this.#known.keys()) {
      if (concerned.has(peer)) continue
      this.#known.delete(peer)
      host.remember(electorateKeys.stamp(peer), undefined)
      return
    }
  }

  /** Who asks is of this electorate, and no further than this peer. */
  receiveStart(from: PeerId, { stamp }: StartItem): void {
    const { host } = this.#standing
    const known = this.#known.get(from)
    // A memory with holes accuses, and acquits nobody.
    if (this.#standing.isVoid && (known === undefined || compareStamps(known.now, stamp) <= 0)) return
    const isVoter = known !== undefined || this.#standing.concerned.has(from)
    const { now, before } = isVoter ? this.#keep(from, stamp) : { now: stamp, before: noStamp }
    host.send(from, { type: 'start-answer', stamp, known: now, before })
  }

  /** `version`: what `from` stands at. */
  receiveAnswer(from: PeerId, { stamp, known, before }: StartAnswer, version: number): void {
    const { host } = this.#standing
    // Of nobody's asking, or of a life that is yet to come.
    if (compareStamps(stamp, host.stamp) > 0 || known.generation > host.generation) return
    if (!this.#asked().has(from)) return
    const higher = this.#higher(known, before)
    if (this.#standing.isVoid) {
      if (this.#standing.isReturning) return
      this.#widen(higher ?? noStamp, version)
    } else if (higher !== undefined) {
      this.#widen(higher, version)
      this.#events.rolledBack(version)
      return
    }
    this.#cleared.add(from)
    const acked = this.#acked.get(from)
    if (acked === undefined || compareStamps(acked, stamp) < 0) this.#acked.set(from, stamp)
    this.#settle()
  }

  /** A stamp that only a later state of this disk can have had. */
  #higher(known: Stamp, before: Stamp): Stamp | undefined {
    const { host, units } = this.#standing
    const isNews = (stamp: Stamp): boolean => compareStamps(stamp, this.#pardon) > 0 || this.#standing.isVoid
    if (units.isRolledBack(host.stamp, known) && isNews(known)) return known
    const isOwn = before.generation >= this.#firstLife
    if (!isOwn && units.isRolledBack(this.#base, before) && isNews(before)) return before
    return undefined
  }

  #widen(known: Stamp, version: number): void {
    const at = Math.max(this.#standing.voidedAt, version)
    const isHigher = compareStamps(known, this.#pardon) > 0
    if (at === this.#standing.voidedAt && !isHigher) return
    this.#standing.voidedAt = at
    if (isHigher) this.#pardon = known
    const { generation, write } = this.#pardon
    this.#standing.host.remember(electorateKeys.voided, encodeNumbers(at, generation, write))
  }

  /** Found void at that version. */
  voided(version: number): void {
    this.#widen(noStamp, version)
    this.#wasVoid = true
    this.#begin()
    this.ask()
  }

  /** There is a new last version. */
  changed(): void {
    // Who founds where others are connected already hears of no new connection.
    if (this.#standing.host.connected().length > 0) this.#meet()
    // Removed and added since: it is asked about like any other.
    if (this.#wasVoid && !this.#standing.isVoid) this.#begin()
    this.#wasVoid = this.#standing.isVoid
    this.#pauseMs = 0
    this.ask()
  }

  /** Nobody has vouched for this disk yet. */
  #begin(): void {
    this.#isVouched = false
    this.#graceUntil = undefined
    this.#cleared.clear()
    this.#deferred.clear()
  }

  /** Removed from the voters: a quorum of them has told what it knows of the own disk, and is told that this is settled. */
  mayReturn(): boolean {
    const { version, voters } = this.#standing
    return version >= this.#standing.voidedAt && isQuorum(voters, this.#cleared)
  }

  /** By hand: this disk is now the newest. */
  recovered(): void {
    this.#base = this.#standing.host.stamp
    this.#firstLife = this.#standing.host.generation
    this.#vouch()
  }

  disconnected(peer: PeerId): void {
    // In its next life it may have lost what it knew.
    if (!this.#standing.isVoid) return
    this.#cleared.delete(peer)
  }
}

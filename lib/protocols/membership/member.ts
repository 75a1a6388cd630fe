import type { PeerId } from '../core.ts'
import type { Allowance } from './allowance.ts'
import type { Accusation, Charge, MemberRecord, Signed, Tags, Update } from './messages.ts'
import type { Rank } from './precedence.ts'
import { RoundTrip } from './round-trip.ts'

/** Most accusations of each kind that are kept and told: the opener and the K = 3 that shorten the time-out. */
export const maxAccusationsPerCharge = 4

/** Who says the same again is caught within so many pings, 16 s at a ping a second. */
const rememberedSeqs = 16

type Accusations = Readonly<Record<Charge, Map<PeerId, Signed<Accusation>>>>

const nothing: readonly Signed<Accusation>[] = []

/**
 * One row of the view: another member, in the life that is known of it. Of
 * thousands most are never dealt with, so what only some need is made when it is.
 */
export class Member {
  readonly peer: PeerId
  record: Signed<MemberRecord>
  /** The record of the highest earlier life: proof, for an owner whose disk went back. */
  previousLife: Signed<MemberRecord> | undefined
  status: Rank['status']
  /** Monotonic and wall instants of the last change of status, ms. */
  statusAt: number
  since: number
  #accusations: Accusations | undefined
  /** As a suspect: when it was found that its machine accepts connects and nobody there answers. */
  stalledAt: number | undefined
  /** What own stalls added to the suspicion time-out, ms. */
  grantedMs = 0
  /** When this life was first heard of, by whomever. */
  lifeKnownAt: number
  /** When bytes of this life last came directly. */
  heardAt: number | undefined
  /** This life has been in authenticated contact with self. */
  contact = false
  /** Some member said so of itself, or said that another one did. */
  vouched = true
  #verified: Set<string> | undefined
  /** The own record that it is known to hold. */
  knowsGeneration = 0
  knowsIncarnation = -1
  #roundTrip: RoundTrip | undefined
  probedAt = Number.NEGATIVE_INFINITY
  /** Its death, or its stop, is being looked into: that it is heard matters at once. */
  isExamined = false
  /** Probes in a row that only some helpers say to be answered. */
  contradicted = 0
  loopLagMs = 0
  /** Pings of this life that came last, in rising order; bounded. */
  #recentSeqs: number[] | undefined
  redialledAt = Number.NEGATIVE_INFINITY
  /** When an own dial last made a new connection to it. */
  reachedAt = Number.NEGATIVE_INFINITY
  syncedAt = Number.NEGATIVE_INFINITY
  syncAnsweredAt = Number.NEGATIVE_INFINITY
  /** Heartbeats in a row that told another digest, and since when they do. */
  disagreements = 0
  disagreesSince = Number.NEGATIVE_INFINITY
  /** When it was last told what is believed of it, and when its latest life was shown the former, and others the latest. */
  toldAt = Number.NEGATIVE_INFINITY
  formerProvedAt = Number.NEGATIVE_INFINITY
  latestProvedAt = Number.NEGATIVE_INFINITY
  /** For newer records of itself, and for accusations by it; nothing was taken yet while undefined. */
  raises: Allowance | undefined
  charges: Allowance | undefined
  /** For pages of the view that it reads. */
  pages: Allowance | undefined

  constructor(record: Signed<MemberRecord>, now: number, wall: number) {
    this.peer = record.body.peer
    this.record = record
    this.status = record.body.presence === 'alive' ? 'alive' : 'left'
    this.statusAt = now
    this.lifeKnownAt = now
    this.since = wall
  }

  get generation(): number {
    return this.record.body.generation
  }

  get incarnation(): number {
    return this.record.body.incarnation
  }

  /** Against this incarnation, by charge and accuser. */
  get accusations(): Accusations {
    this.#accusations ??= { suspected: new Map(), refused: new Map(), dismissed: new Map() }
    return this.#accusations
  }

  /** Addresses at which an own dial completed a handshake with this life. */
  get verified(): Set<string> {
    this.#verified ??= new Set()
    return this.#verified
  }

  get roundTrip(): RoundTrip {
    this.#roundTrip ??= new RoundTrip()
    return this.#roundTrip
  }

  /** Smoothed; undefined until measured. */
  get rttMs(): number | undefined {
    return this.#roundTrip?.smoothedMs
  }

  /** Negative infinity when no byte of this life has come. */
  get lastHeardAt(): number {
    return this.heardAt ?? Number.NEGATIVE_INFINITY
  }

  get rank(): Rank {
    return { generation: this.generation, incarnation: this.incarnation, status: this.status }
  }

  /** Counts towards n: alive or suspect. */
  get present(): boolean {
    return this.status === 'alive' || this.status === 'suspect'
  }

  get accusationCount(): number {
    if (this.#accusations === undefined) return 0
    const { suspected, refused, dismissed } = this.#accusations
    return suspected.size + refused.size + dismissed.size
  }

  /** Distinct accusers of this incarnation, by whatever charge. */
  accusers(): Set<PeerId> {
    if (this.#accusations === undefined) return new Set()
    return new Set([...this.#accusations.suspected.keys(), ...this.#accusations.refused.keys()])
  }

  /** Bytes of this life came directly from it. */
  heard(now: number): void {
    this.heardAt = now
    this.contact = true
  }

  /** A newer record of the same life, or of a new one, which starts with nothing known. */
  replaceRecord(record: Signed<MemberRecord>): void {
    const newLife = record.body.generation !== this.generation
    if (newLife) {
      this.previousLife = this.record
      this.heardAt = undefined
      this.contact = false
      this.vouched = false
      this.knowsGeneration = 0
      this.#recentSeqs = undefined
      this.probedAt = Number.NEGATIVE_INFINITY
      this.contradicted = 0
      this.loopLagMs = 0
      this.syncedAt = Number.NEGATIVE_INFINITY
    }
    if (newLife || !sameList(record.body.addresses, this.record.body.addresses)) this.#verified?.clear()
    this.record = record
    this.#accusations = undefined
    this.grantedMs = 0
  }

  /**
   * Whether a ping is news. A connection that was cut for a while may deliver its
   * pings after those of the one that replaced it: late, and nobody's fault.
   */
  takeSeq(seq: number): 'new' | 'late' | 'replayed' {
    this.#recentSeqs ??= []
    if (this.#recentSeqs.includes(seq)) return 'replayed'
    if (seq <= (this.#recentSeqs.at(-1) ?? 0)) return 'late'
    this.#recentSeqs.push(seq)
    if (this.#recentSeqs.length > rememberedSeqs) this.#recentSeqs.shift()
    return 'new'
  }

  /** What there is to tell of it; bounded. `relaying`: what others vouched for is told as if it were known first-hand. */
  update(relaying = false): Update {
    return {
      record: this.record,
      accusations: this.#accusations === undefined ? nothing : told(this.#accusations),
      contact: this.present && (this.contact || (relaying && this.vouched)),
    }
  }

  /** What two members that agree on it have in common. */
  digestRow(): string {
    if (this.#accusations === undefined) return digestRow(this.record.body, 0, 0, 0)
    const { suspected, refused, dismissed } = this.#accusations
    return digestRow(this.record.body, suspected.size, refused.size, dismissed.size)
  }
}

function told({ suspected, refused, dismissed }: Accusations): Signed<Accusation>[] {
  return [...suspected.values(), ...refused.values(), ...dismissed.values()]
}

/** With how many accusations of each kind. */
export function digestRow(
  { generation, incarnation, presence }: MemberRecord,
  suspected: number,
  refused: number,
  dismissed: number,
): string {
  return `${generation} ${incarnation} ${presence} ${suspected} ${refused} ${dismissed}`
}

/** Both in rising order of keys, as records say them. */
export function sameTags(a: Tags, b: Tags): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Whether two records of one life differ in nothing but who had the last word. */
export function sameDetails(a: MemberRecord, b: MemberRecord): boolean {
  return sameList(a.addresses, b.addresses) && sameList(a.groups, b.groups) && sameTags(a.tags, b.tags)
}

export function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i])
}

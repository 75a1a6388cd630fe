import type { PeerId } from '../core.ts'
import type { Allowance } from './allowance.ts'
import type { Accusation, Charge, MemberRecord, Signed, Tags, Update } from './messages.ts'
import type { Rank } from './precedence.ts'
import { RoundTrip } from './round-trip.ts'

/** Most accusations of each kind that are kept and told: the opener and the K = 3 that shorten the time-out. */
export const maxAccusationsPerCharge = 4

/** Who says the same again is caught within so many pings, 16 s at a ping a second. */
const rememberedSeqs = 16

/** One row of the view: another member, in the life that is known of it. */
export class Member {
  readonly peer: PeerId
  record: Signed<MemberRecord>
  /** The record of the highest earlier life: proof, for an owner whose disk went back. */
  previousLife: Signed<MemberRecord> | undefined
  status: Rank['status']
  /** Monotonic and wall instants of the last change of status, ms. */
  statusAt: number
  since: number
  readonly accusations: Readonly<Record<Charge, Map<PeerId, Signed<Accusation>>>> = {
    suspected: new Map(),
    refused: new Map(),
    dismissed: new Map(),
  }
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
  /** Addresses at which an own dial completed a handshake with this life. */
  readonly verified = new Set<string>()
  /** The own record that it is known to hold. */
  knowsGeneration = 0
  knowsIncarnation = -1
  readonly roundTrip = new RoundTrip()
  probedAt = Number.NEGATIVE_INFINITY
  loopLagMs = 0
  /** Pings of this life that came last, in rising order; bounded. */
  readonly #recentSeqs: number[] = []
  redialledAt = Number.NEGATIVE_INFINITY
  /** When an own dial last made a new connection to it. */
  reachedAt = Number.NEGATIVE_INFINITY
  syncedAt = Number.NEGATIVE_INFINITY
  syncAnsweredAt = Number.NEGATIVE_INFINITY
  /** Heartbeats in a row that told another digest, and since when they do. */
  disagreements = 0
  disagreesSince = Number.NEGATIVE_INFINITY
  toldAt = Number.NEGATIVE_INFINITY
  /** For newer records of itself, and for accusations by it; nothing was taken yet while undefined. */
  raises: Allowance | undefined
  charges: Allowance | undefined

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

  get rank(): Rank {
    return { generation: this.generation, incarnation: this.incarnation, status: this.status }
  }

  /** Counts towards n: alive or suspect. */
  get present(): boolean {
    return this.status === 'alive' || this.status === 'suspect'
  }

  /** Distinct accusers of this incarnation, by whatever charge. */
  accusers(): Set<PeerId> {
    return new Set([...this.accusations.suspected.keys(), ...this.accusations.refused.keys()])
  }

  /** A newer record of the same life, or of a new one, which starts with nothing known. */
  replaceRecord(record: Signed<MemberRecord>): void {
    const newLife = record.body.generation !== this.generation
    if (newLife) {
      this.previousLife = this.record
      this.heardAt = undefined
      this.contact = false
      this.knowsGeneration = 0
      this.#recentSeqs.length = 0
      this.probedAt = Number.NEGATIVE_INFINITY
      this.loopLagMs = 0
      this.syncedAt = Number.NEGATIVE_INFINITY
    }
    if (newLife || !sameList(record.body.addresses, this.record.body.addresses)) this.verified.clear()
    this.record = record
    this.accusations.suspected.clear()
    this.accusations.refused.clear()
    this.accusations.dismissed.clear()
    this.grantedMs = 0
  }

  /**
   * Whether a ping is news. A connection that was cut for a while may deliver its
   * pings after those of the one that replaced it: late, and nobody's fault.
   */
  takeSeq(seq: number): 'new' | 'late' | 'replayed' {
    if (this.#recentSeqs.includes(seq)) return 'replayed'
    if (seq <= (this.#recentSeqs.at(-1) ?? 0)) return 'late'
    this.#recentSeqs.push(seq)
    if (this.#recentSeqs.length > rememberedSeqs) this.#recentSeqs.shift()
    return 'new'
  }

  /** What there is to tell of it; bounded. */
  update(): Update {
    const told = (charge: Charge) => [...this.accusations[charge].values()]
    return {
      record: this.record,
      accusations: [...told('suspected'), ...told('refused'), ...told('dismissed')],
      contact: this.contact && this.present,
    }
  }

  /** What two members that agree on it have in common. */
  digestRow(): string {
    const { suspected, refused, dismissed } = this.accusations
    return digestRow(this.record.body, suspected.size, refused.size, dismissed.size)
  }
}

/** With how many accusations of each kind. */
export function digestRow(record: MemberRecord, ...accusations: readonly number[]): string {
  return `${record.generation} ${record.incarnation} ${record.presence} ${accusations.join(' ')}`
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

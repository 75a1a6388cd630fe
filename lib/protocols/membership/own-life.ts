/**
 * Me: generation, incarnation and record.
 *
 * A generation is on disk before anybody hears of it; an incarnation is
 * persisted before it is told and never falls, also not in a new generation
 * (`persist` is a barrier, so putting it ahead of the send is enough).
 */
import { isGroupName } from '../../wire/group-name.ts'
import { isTagKey, isTagValue } from '../../wire/tag.ts'
import type { Agenda } from '../agenda.ts'
import { Allowance, type Rate } from './allowance.ts'
import { decodeSelfState, durableKeys, encodeSelfState } from './durable-state.ts'
import type { MembershipInit } from './init.ts'
import { sameList, sameTags } from './member.ts'
import type { MemberRecord, Presence, Signed, Tags, Update } from './messages.ts'
import { signRecord, statementLimits, tagEntries } from './statements.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { MembershipUnits } from './units.ts'

export type OwnStatus = 'idle' | 'joining' | 'alive' | 'leaving' | 'left' | 'superseded'

export class OwnLife {
  /** Lives of this process that it can tell from others; a peer that rejoins a group takes one. */
  static readonly rememberedLives = 4096
  /** Changes of the own record that are told as they come; more are told together. */
  static readonly changesAtOnce = 4
  /** Accusations answered as they come. Each answer is one write here and one signature for everybody to check. */
  static readonly refutationsAtOnce = 4
  readonly #init: MembershipInit
  readonly #units: MembershipUnits
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #onChange: () => void
  /** What the disk held when this process started: whoever knows more knows that the disk went back. */
  readonly persistedGeneration: number
  /** Generations that this process took; everything else under this identity is another life. */
  readonly #taken = new Set<number>()
  /** Below it, and above the disk's, all count as taken. */
  #takenBelow = 0
  readonly #changes: Rate
  readonly #allowance: Allowance

  status: OwnStatus = 'idle'
  generation = 0
  incarnation: number
  rolledBack: boolean
  presence: Presence = 'alive'
  since = 0
  #addresses: readonly string[]
  #groups: readonly string[]
  #tags: Tags
  #record: Signed<MemberRecord> | undefined
  readonly #refutations: Rate
  readonly #refutable = new Allowance()
  #refutedAt = Number.NEGATIVE_INFINITY
  #accused = -1
  #renewal = false

  constructor(
    init: MembershipInit,
    units: MembershipUnits,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    onChange: () => void,
  ) {
    this.#init = init
    this.#units = units
    this.#turn = turn
    this.#agenda = agenda
    this.#onChange = onChange
    this.#addresses = init.addresses
    this.#groups = sorted(init.groups ?? [])
    this.#tags = sortedTags(init.tags ?? {})
    this.#changes = { burst: OwnLife.changesAtOnce, perSecond: 4000 / init.config.probePeriodMs }
    this.#allowance = new Allowance()
    this.#refutations = { burst: OwnLife.refutationsAtOnce, perSecond: 1000 / init.config.probePeriodMs }
    const state = decodeSelfState(init.durable.get(durableKeys.self))
    this.persistedGeneration = state.generation
    this.incarnation = state.incarnation
    this.rolledBack = state.rolledBack
  }

  get record(): Signed<MemberRecord> {
    if (this.#record === undefined) throw new Error('a record before a generation was taken')
    return this.#record
  }

  /** What there is to tell of this member. */
  get update(): Update {
    return { record: this.record, accusations: [], contact: true }
  }

  get addresses(): readonly string[] {
    return this.#addresses
  }

  get groups(): readonly string[] {
    return this.#groups
  }

  get tags(): Tags {
    return this.#tags
  }

  /** Takes part in the protocol: sends, answers, judges. */
  get running(): boolean {
    return this.status === 'joining' || this.status === 'alive' || this.status === 'leaving'
  }

  begin(): void {
    this.status = 'joining'
    this.since = this.#turn.wall
    const next = this.#units.nextGeneration(this.persistedGeneration, this.#turn.wall)
    // Where the clock is no help, two lives from one backup would take the same number: draw.
    const drawn = next === this.persistedGeneration + 1 ? Math.floor(this.#init.random() * 1000) : 0
    this.take(next + drawn)
  }

  settle(): void {
    this.status = 'alive'
    this.since = this.#turn.wall
    this.#agenda.cancel('join-wait')
    this.#turn.emit({ type: 'joined', generation: this.generation })
  }

  readdress(addresses: readonly string[]): void {
    if (sameList(addresses, this.#addresses)) return
    this.#addresses = addresses
    this.tellChange()
  }

  regroup(groups: readonly string[]): void {
    const next = sorted(groups)
    if (sameList(next, this.#groups)) return
    this.#groups = next
    this.tellChange()
  }

  retag(tags: Tags): void {
    const next = sortedTags(tags)
    if (sameTags(next, this.#tags)) return
    this.#tags = next
    this.tellChange()
  }

  /** A new generation without a restart; one serves all who asked for it meanwhile. */
  renew(): void {
    this.#renewal = true
    this.tellChange()
  }

  /**
   * Answers an accusation of `incarnation`, now or as soon as the rate limit
   * allows; false when there is nothing to answer. A lower one is answered already,
   * and a higher one only the owner could have made: going along with that would
   * let one lie raise the counter to where nobody takes it any more.
   */
  refute(incarnation: number): boolean {
    if (incarnation !== this.incarnation || !this.running || this.presence !== 'alive') return false
    this.#accused = incarnation
    this.refuteNow()
    return true
  }

  /** That incarnation is accused, and the answer is on its way: who else says so says nothing new. */
  isAnswering(incarnation: number): boolean {
    return this.#accused === incarnation
  }

  /** As soon as may be. */
  refuteNow(): void {
    if (this.#accused < this.incarnation) return
    const { now } = this.#turn
    const spaced = this.#refutedAt + this.#init.config.probePeriodMs / 4
    if (now < spaced || !this.#refutable.take(this.#refutations, now)) {
      const due = Math.max(spaced, this.#refutable.nextAt(this.#refutations, now))
      this.#agenda.schedule('refute', due, { type: 'refute' })
      return
    }
    this.#refutedAt = now
    const next = this.#units.refutation(this.incarnation, this.#accused)
    this.#accused = -1
    this.#raise(next)
    this.#turn.emit({ type: 'refuted', incarnation: this.incarnation })
  }

  /** After a stall so long that others may have judged: a higher incarnation says that I am back. */
  reassert(): void {
    if (this.running && this.presence === 'alive') this.#raise(this.incarnation + 1)
  }

  depart(presence: 'left' | 'stopping'): void {
    this.status = 'leaving'
    this.since = this.#turn.wall
    this.presence = presence
    this.#sign()
  }

  /** Whether `record` is something that this process did not sign in this life. */
  isForeign(record: Signed<MemberRecord>): boolean {
    const { generation, incarnation } = record.body
    if (!this.#hasTaken(generation)) return true
    if (generation !== this.generation) return false
    // A departure of this very generation: an earlier life took the same number, and the disk forgot it.
    if (record.body.presence !== 'alive' && this.presence === 'alive') return true
    if (incarnation !== this.incarnation) return incarnation > this.incarnation
    return record.body.presence === this.presence && !equal(record.bytes, this.record.bytes)
  }

  /** Another life of this process begins, with that generation. */
  take(generation: number): void {
    if (generation > 2 ** 52) throw new Error(`generation ${generation} is beyond 2^52`)
    this.generation = generation
    this.#renewal = false
    this.#agenda.cancel('own-change')
    this.#taken.add(generation)
    const [earliest] = this.#taken
    if (this.#taken.size > OwnLife.rememberedLives && earliest !== undefined) {
      this.#taken.delete(earliest)
      this.#takenBelow = earliest + 1
    }
    this.#persist()
    this.#sign()
  }

  /** Each change costs every member a look at a signature: many in a row are one. */
  tellChange(): void {
    if (!this.running || this.presence !== 'alive') return
    const { now } = this.#turn
    if (this.#allowance.take(this.#changes, now)) {
      if (this.#renewal) this.take(this.#units.nextGeneration(this.generation, this.#turn.wall))
      else this.#raise(this.incarnation + 1)
      return
    }
    const at = this.#allowance.nextAt(this.#changes, now)
    this.#agenda.scheduleAtLatest('own-change', at, { type: 'own-change' })
  }

  /** Others have seen a later life than the disk knew of: this peer must not vote. */
  rollBack(known: number): void {
    if (this.rolledBack) return
    this.rolledBack = true
    this.#persist()
    this.#turn.emit({ type: 'rolled-back', persisted: this.persistedGeneration, known })
  }

  #hasTaken(generation: number): boolean {
    if (this.#taken.has(generation)) return true
    return generation < this.#takenBelow && generation > this.persistedGeneration
  }

  #raise(incarnation: number): void {
    if (incarnation === this.incarnation) return
    // Whatever waited to be told goes along.
    if (!this.#renewal) this.#agenda.cancel('own-change')
    this.incarnation = incarnation
    this.#persist()
    this.#sign()
  }

  #persist(): void {
    this.#turn.persist(
      durableKeys.self,
      encodeSelfState({
        generation: Math.max(this.generation, this.persistedGeneration),
        incarnation: this.incarnation,
        rolledBack: this.rolledBack,
      }),
    )
  }

  #sign(): void {
    const { self, cluster, name, version, crypto } = this.#init
    this.#record = signRecord(
      {
        cluster,
        peer: self,
        generation: this.generation,
        incarnation: this.incarnation,
        presence: this.presence,
        addresses: this.#addresses,
        name,
        version,
        groups: this.#groups,
        tags: this.#tags,
      },
      crypto,
    )
    this.#onChange()
  }
}

/** What the embedder asks for must be sayable: others would drop the whole record. */
function sorted(groups: readonly string[]): readonly string[] {
  const names = [...new Set(groups)].sort()
  if (names.length > statementLimits.groups || !names.every(isGroupName)) {
    throw new Error('groups beyond what a record may say')
  }
  return names
}

/** As records say them: in rising order of keys. */
function sortedTags(tags: Tags): Tags {
  const entries = tagEntries(tags)
  if (
    entries.length > statementLimits.tags ||
    !entries.every(([key, value]) => isTagKey(key) && isTagValue(value))
  ) {
    throw new Error('tags beyond what a record may say')
  }
  return Object.fromEntries(entries)
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

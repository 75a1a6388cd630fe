import type { Core, Crypto, Effect, Input, Instant, PeerId } from '../../../lib/protocols/core.ts'
import type {
  Accusation,
  MemberRecord,
  MembershipCommand,
  MembershipEvent,
  MembershipRequest,
  Packet,
  Signed,
  Update,
} from '../../../lib/protocols/membership/messages.ts'
import { signAccusation, signRecord } from '../../../lib/protocols/membership/statements.ts'
import type { Random } from '../random.ts'
import type { Lie } from './options.ts'

type Inner = Core<Packet, MembershipCommand, MembershipEvent, MembershipRequest>
type LieEffect = Effect<Packet, MembershipEvent, MembershipRequest>

export interface LiarInit {
  readonly lie: Lie
  readonly self: PeerId
  readonly cluster: string
  readonly crypto: Crypto
  readonly random: Random
  readonly generation: () => number
  readonly lying: () => boolean
}

/** Between two rounds of lies, ms, and how many are lied about and lied to in one. */
const everyMs = 500
const subjectsPerRound = 4
const listenersPerRound = 4
const floodPackets = 20
/** Packets that a replayer keeps, and how many it sends again at a time. */
const memory = 200
const replays = 5

/** A byzantine member: an honest core that keeps it a member, and lies told beside it. */
export class Liar implements Inner {
  readonly #inner: Inner
  readonly #init: LiarInit
  readonly #records = new Map<PeerId, Signed<MemberRecord>>()
  /** The incarnation at which others accused them last. */
  readonly #accused = new Map<PeerId, string>()
  readonly #heard: Packet[] = []
  #nextAt = 0

  constructor(inner: Inner, init: LiarInit) {
    this.#inner = inner
    this.#init = init
  }

  get deadline(): number | undefined {
    return Math.min(this.#inner.deadline ?? Number.POSITIVE_INFINITY, this.#nextAt)
  }

  step(input: Input<Packet, MembershipCommand>, now: Instant): readonly LieEffect[] {
    if (input.type === 'receive') this.#learn(input.message)
    const woken = input.type === 'wake'
    const innerDue = this.#inner.deadline !== undefined && this.#inner.deadline <= now.monotonic
    const honest = [...(!woken || innerDue ? this.#inner.step(input, now) : []), ...this.#vouch(input)]
    if (now.monotonic < this.#nextAt) return honest
    this.#nextAt = now.monotonic + everyMs
    if (!this.#init.lying() || this.#init.generation() === 0) return honest
    return [...honest, ...this.#lies()]
  }

  #learn(packet: Packet): void {
    const { self } = this.#init
    for (const { record, accusations } of packet.updates) {
      const { peer, generation, incarnation } = record.body
      if (accusations.length > 0) this.#accused.set(peer, `${generation}.${incarnation}`)
      const known = this.#records.get(peer)?.body
      const newer =
        known === undefined ||
        generation > known.generation ||
        (generation === known.generation && incarnation > known.incarnation)
      if (peer !== self && newer) this.#records.set(peer, record)
    }
    if (this.#init.lie !== 'replays') return
    if (this.#heard.length < memory) this.#heard.push(packet)
    else this.#heard[this.#init.random.whole(0, memory - 1)] = packet
  }

  /** Asked to probe somebody: there is an answer before anybody was asked. */
  #vouch(input: Input<Packet, MembershipCommand>): LieEffect[] {
    if (this.#init.lie !== 'vouches' || input.type !== 'receive' || !this.#init.lying()) return []
    const { body } = input.message
    if (body.type !== 'ping-request') return []
    const belief = { generation: 0, incarnation: 0, standing: 'unknown', heardAgoMs: undefined } as const
    return [
      {
        type: 'send',
        to: input.from,
        message: {
          generation: this.#init.generation(),
          updates: [],
          body: {
            type: 'ack',
            seq: body.seq,
            digest: 0n,
            loopLagMs: 0,
            belief,
            otherLife: undefined,
            riders: [],
          },
        },
      },
    ]
  }

  #lies(): LieEffect[] {
    switch (this.#init.lie) {
      case 'suspects':
        return this.#tell((record) => this.#accuse(record, 'suspected'))
      case 'refuses':
        return this.#tell((record) => this.#accuse(record, 'refused'))
      case 'sly':
        return this.#tell((record) => this.#accuse(record, 'refused'), this.#suspects())
      case 'dismisses':
        return this.#tell((record) => this.#accuse(record, 'dismissed'), this.#suspectsOrAll())
      case 'forges':
        return this.#tell((record) => this.#forge(record), this.#suspectsOrAll())
      case 'inflates':
        return this.#tell((record) => this.#inflate(record))
      case 'replays':
        return this.#replay()
      case 'floods':
        return this.#flood()
      case 'vouches':
        return []
    }
  }

  #tell(
    lie: (record: Signed<MemberRecord>) => Update,
    about: readonly Signed<MemberRecord>[] = [...this.#records.values()],
  ): LieEffect[] {
    const updates = this.#some(about, subjectsPerRound).map(lie)
    return updates.length === 0 ? [] : this.#listeners().map((to) => this.#send(to, updates))
  }

  #suspectsOrAll(): Signed<MemberRecord>[] {
    const suspects = this.#suspects()
    return suspects.length > 0 ? suspects : [...this.#records.values()]
  }

  /** Whom others accuse at the incarnation that is known. */
  #suspects(): Signed<MemberRecord>[] {
    return [...this.#records.values()].filter((record) => {
      const { peer, generation, incarnation } = record.body
      return this.#accused.get(peer) === `${generation}.${incarnation}`
    })
  }

  #listeners(): PeerId[] {
    return this.#some([...this.#records.keys()], listenersPerRound)
  }

  #some<T>(list: readonly T[], count: number): T[] {
    return this.#init.random.shuffled(list).slice(0, count)
  }

  #send(to: PeerId, updates: readonly Update[]): LieEffect {
    const generation = this.#init.generation()
    return { type: 'send', to, message: { generation, updates, body: { type: 'gossip' } } }
  }

  #accuse(record: Signed<MemberRecord>, charge: Accusation['charge']): Update {
    const { crypto, self } = this.#init
    const accusation = signAccusation(this.#accusation(record.body, charge, self), crypto)
    return { record, accusations: [accusation], contact: true }
  }

  /** In the names of others, with its own key or no signature at all. */
  #forge(record: Signed<MemberRecord>): Update {
    const { crypto, random } = this.#init
    const accusers = random.shuffled([...this.#records.keys()]).slice(0, 3)
    const accusations = accusers.map((accuser) => {
      const forged = signAccusation(this.#accusation(record.body, 'suspected', accuser), crypto)
      return random.chance(0.5) ? forged : { ...forged, signature: new Uint8Array(64) }
    })
    const refusals = accusers.map((accuser) =>
      signAccusation(this.#accusation(record.body, 'refused', accuser), crypto),
    )
    return { record, accusations: [...accusations, ...refusals], contact: true }
  }

  /** A record of somebody else that this host has made up: newer, or a departure. */
  #inflate(record: Signed<MemberRecord>): Update {
    const { crypto, random } = this.#init
    const ahead = random.pick([1, 1000, 2 ** 40])
    const made: MemberRecord = {
      ...record.body,
      incarnation: Math.min(2 ** 52, record.body.incarnation + ahead),
      generation: record.body.generation + random.whole(0, 1),
      presence: random.pick(['alive', 'left', 'stopping']),
    }
    return { record: signRecord(made, crypto), accusations: [], contact: true }
  }

  #replay(): LieEffect[] {
    if (this.#heard.length === 0) return []
    const { random } = this.#init
    const effects: LieEffect[] = []
    for (const to of this.#listeners()) {
      for (let i = 0; i < replays; i++) {
        const old = random.pick(this.#heard)
        effects.push({ type: 'send', to, message: old })
        effects.push(this.#send(to, old.updates))
      }
    }
    return effects
  }

  #flood(): LieEffect[] {
    const { random, crypto } = this.#init
    const to = random.pick([...this.#records.keys(), this.#init.self])
    const records = this.#some([...this.#records.values()], subjectsPerRound)
    const updates = records.map((record) => this.#accuse(record, 'suspected'))
    const effects: LieEffect[] = []
    for (let i = 0; i < floodPackets; i++) {
      const nonsense = crypto.sign(Uint8Array.of(i))
      effects.push(this.#send(to, updates))
      effects.push({
        type: 'send',
        to,
        message: {
          generation: this.#init.generation(),
          updates: [],
          body: {
            type: 'ping-request',
            seq: nonsense[0] ?? 0,
            subject: random.pick([...this.#records.keys(), to]),
          },
        },
      })
    }
    return effects
  }

  #accusation(record: MemberRecord, charge: Accusation['charge'], accuser: PeerId): Accusation {
    return {
      charge,
      cluster: this.#init.cluster,
      subject: record.peer,
      generation: record.generation,
      incarnation: record.incarnation,
      accuser,
      accuserGeneration: this.#init.generation(),
    }
  }
}

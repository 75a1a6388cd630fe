/** One membership core under test, and scripted peers around it. No network, no simulator. */
import { createHash } from 'node:crypto'
import type { Crypto, PeerId } from '../../../../lib/protocols/core.ts'
import { packetCodec } from '../../../../lib/protocols/membership/codec.ts'
import { type MembershipConfig, profiles } from '../../../../lib/protocols/membership/config.ts'
import { Membership, type MembershipInit } from '../../../../lib/protocols/membership/membership.ts'
import type {
  Accusation,
  Belief,
  Body,
  MemberRecord,
  MembershipCommand,
  MembershipEvent,
  MembershipRequest,
  MemberView,
  Packet,
  Signed,
  Update,
} from '../../../../lib/protocols/membership/messages.ts'
import { signAccusation, signRecord } from '../../../../lib/protocols/membership/statements.ts'
import type { MembershipEffect } from '../../../../lib/protocols/membership/turn.ts'

export const cluster = 'c1'

export function id(name: string): PeerId {
  return name as PeerId
}

/** Signatures that only the named peer's own `sign` makes, as far as the tests go. */
export function cryptoOf(peer: PeerId): Crypto {
  const hash = (signer: string, bytes: Uint8Array) =>
    new Uint8Array(createHash('sha256').update(signer).update(bytes).digest())
  return {
    sign: (bytes) => hash(peer, bytes),
    verify: (signer, bytes, signature) => Buffer.from(hash(signer, bytes)).equals(signature),
    sha256: (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()),
  }
}

export class ScriptedPeer {
  readonly id: PeerId
  generation = 1000
  incarnation = 0
  #seq = 0

  constructor(name: string) {
    this.id = id(name)
  }

  record(change: Partial<MemberRecord> = {}): Signed<MemberRecord> {
    return signRecord(
      {
        cluster,
        peer: this.id,
        generation: this.generation,
        incarnation: this.incarnation,
        presence: 'alive',
        addresses: [`/ip4/10.0.0.1/tcp/${1000 + (this.id.charCodeAt(0) % 100)}`],
        name: this.id,
        version: '1',
        groups: [],
        tags: {},
        ...change,
      },
      cryptoOf(change.peer ?? this.id),
    )
  }

  update(change: Partial<Update> = {}): Update {
    return { record: this.record(), accusations: [], contact: true, ...change }
  }

  accuse(subject: Signed<MemberRecord>, change: Partial<Accusation> = {}): Signed<Accusation> {
    const { peer, generation, incarnation } = subject.body
    return signAccusation(
      {
        charge: 'suspected',
        cluster,
        subject: peer,
        generation,
        incarnation,
        accuser: this.id,
        accuserGeneration: this.generation,
        ...change,
      },
      cryptoOf(this.id),
    )
  }

  packet(body: Body, updates: readonly Update[] = []): Packet {
    return { generation: this.generation, updates, body }
  }

  ping(updates: readonly Update[] = [this.update()], belief: Partial<Belief> = {}): Packet {
    return this.packet(heartbeat('ping', ++this.#seq, belief), updates)
  }

  ack(seq: number, belief: Partial<Belief> = {}, otherLife?: Signed<MemberRecord>): Packet {
    return this.packet({ ...heartbeat('ack', seq, belief), otherLife }, [this.update()])
  }
}

function heartbeat(type: 'ping' | 'ack', seq: number, belief: Partial<Belief>) {
  return {
    type,
    seq,
    digest: 0n,
    loopLagMs: 0,
    belief: { generation: 0, incarnation: 0, standing: 'unknown', heardAgoMs: undefined, ...belief } as const,
    otherLife: undefined,
    riders: [],
  }
}

export class Lab {
  readonly core: Membership
  readonly disk = new Map<string, Uint8Array>()
  readonly self = id('m')
  /** All effects since the last `take`. */
  effects: MembershipEffect[] = []
  now = 1000
  wall = 1_000_000

  constructor(init: Partial<MembershipInit> = {}, config: Partial<MembershipConfig> = {}) {
    for (const [key, value] of init.durable ?? []) this.disk.set(key, value)
    this.core = new Membership({
      self: this.self,
      cluster,
      name: 'm',
      version: '1',
      addresses: ['/ip4/10.0.0.9/tcp/1'],
      config: { ...profiles.lan, ...config },
      crypto: cryptoOf(this.self),
      random: () => 0.5,
      durable: this.disk,
      ...init,
    })
  }

  command(command: MembershipCommand): void {
    this.#keep(this.core.step(command, { monotonic: this.now, wall: this.wall }))
  }

  /** Delivers through the codec, as a link would. */
  receive(from: ScriptedPeer, packet: Packet): void {
    const message = packetCodec.decode(packetCodec.encode(packet))
    const input = { type: 'receive', from: from.id, message } as const
    this.#keep(this.core.step(input, { monotonic: this.now, wall: this.wall }))
  }

  /** Moves time on, waking the core whenever it is due. */
  run(ms: number): void {
    const end = this.now + ms
    for (;;) {
      const { deadline } = this.core
      if (deadline === undefined || deadline > end) break
      this.#moveTo(Math.max(this.now, deadline))
      this.#wake(0)
    }
    this.#moveTo(end)
  }

  /** Moves time on while `talking` say something every 50 ms. */
  runWhile(ms: number, talking: readonly ScriptedPeer[]): void {
    for (let passed = 0; passed < ms; passed += 50) {
      this.run(Math.min(50, ms - passed))
      this.hear(...talking)
    }
  }

  /** The process stands still for `ms`: its timers fire late. */
  stall(ms: number): void {
    const { deadline } = this.core
    this.#moveTo(this.now + ms)
    if (deadline !== undefined && deadline <= this.now) this.#wake(this.now - deadline)
  }

  start(contacts: readonly string[] = []): void {
    this.command({ type: 'start', contacts })
  }

  connect(peer: ScriptedPeer): void {
    this.command({ type: 'connected', peer: peer.id })
    this.receive(peer, peer.ping())
  }

  /** Each peer says something, so that none is silent. */
  hear(...peers: ScriptedPeer[]): void {
    for (const peer of peers) this.receive(peer, peer.packet({ type: 'gossip' }))
  }

  take(): MembershipEffect[] {
    const taken = this.effects
    this.effects = []
    return taken
  }

  events(): MembershipEvent[] {
    return this.effects.flatMap((effect) => (effect.type === 'emit' ? [effect.event] : []))
  }

  requests(): MembershipRequest[] {
    return this.effects.filter((effect) => effect.type === 'dial' || effect.type === 'knock')
  }

  /** Each dial under way finds nobody. */
  failDials(): void {
    const dials = this.effects.filter((effect) => effect.type === 'dial')
    this.effects = this.effects.filter((effect) => effect.type !== 'dial')
    const outcome = { type: 'failed', reason: 'timeout' } as const
    for (const { id } of dials) this.command({ type: 'dialled', id, outcome })
  }

  sent(to: ScriptedPeer): Packet[] {
    return this.effects.flatMap((effect) =>
      effect.type === 'send' && effect.to === to.id ? [effect.message] : [],
    )
  }

  member(peer: ScriptedPeer): MemberView | undefined {
    return this.core.members().find((member) => member.peer === peer.id)
  }

  get own(): MemberView {
    const own = this.core.members()[0]
    if (own === undefined) throw new Error('not started')
    return own
  }

  /** A record as the core itself last told it. */
  ownRecord(): Signed<MemberRecord> {
    const told = this.effects.flatMap((effect) => (effect.type === 'send' ? effect.message.updates : []))
    const record = told.findLast((update) => update.record.body.peer === this.self)?.record
    if (record === undefined) throw new Error('the own record was not told')
    return record
  }

  #moveTo(at: number): void {
    this.wall += at - this.now
    this.now = at
  }

  #wake(lagMs: number): void {
    this.#keep(this.core.step({ type: 'wake', lagMs }, { monotonic: this.now, wall: this.wall }))
  }

  #keep(effects: readonly MembershipEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'persist' || effect.type === 'note') this.#write(effect.key, effect.value)
      this.effects.push(effect)
    }
  }

  #write(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.disk.delete(key)
    else this.disk.set(key, value)
  }
}

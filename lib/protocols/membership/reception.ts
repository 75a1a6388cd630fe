/**
 * What comes in a packet: its updates are merged, whoever sent it has been heard,
 * and then its body says what it is for.
 */
import type { PeerId } from '../core.ts'
import type { Member } from './member.ts'
import type { Heartbeat, Packet, Update } from './messages.ts'
import type { Parts } from './parts.ts'

export class Reception {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  receive(from: PeerId, packet: Packet): void {
    const { init, turn, traffic, hearing, own, view, sync } = this.#parts
    if (from === init.self) return
    if (this.#parts.departure.lingers) return this.#answerOnLeaving(from, packet)
    if (!own.running) return
    if (!traffic.takesPacket(from, packet.updates.length, turn.now))
      return hearing.misbehaved(from, 'flooding')
    for (const update of packet.updates) {
      this.#merge(update, from)
      sync.merged(from, update)
      // A second bad signature proves no more than the first, and costs as much to look at.
      // Merging may also have shown another life of this identity, which ends this one.
      if (hearing.isSpoilt || !own.running) return
    }
    const member = view.get(from)
    const current = member?.generation === packet.generation ? member : undefined
    if (current !== undefined) this.#heard(current)
    this.#receiveBody(from, packet, current)
    if (own.running && member !== undefined && packet.body.type !== 'ping') {
      this.#tellWhatIsBelieved(member, packet.generation)
    }
  }

  /** Of what is said to it nothing matters any more, but for who has heard of it. */
  #answerOnLeaving(from: PeerId, { body, generation, updates }: Packet): void {
    const { turn, traffic, departure, heartbeats } = this.#parts
    if (!traffic.takesPacket(from, updates.length, turn.now)) return
    if (body.type === 'leave-ack') departure.acknowledged(from)
    else if (body.type === 'ping' && traffic.takesPing(from, turn.now))
      heartbeats.ack(from, body.seq, generation)
  }

  #merge(update: Update, from: PeerId): void {
    const { init, defence, merging } = this.#parts
    if (update.record.body.peer === init.self) defence.merge(update, from)
    else merging.merge(update, from)
  }

  /** Bytes of its current life came directly from it. */
  #heard(member: Member): void {
    const { turn, isolation, evidence, fastPath } = this.#parts
    member.heard(turn.now)
    isolation.heard()
    if (!member.isExamined) return
    evidence.heard(member)
    fastPath.void(member.peer)
    member.isExamined = evidence.isOpen(member.peer)
  }

  #receiveBody(from: PeerId, packet: Packet, current: Member | undefined): void {
    const { prober, pages, sync, departure } = this.#parts
    const { body } = packet
    switch (body.type) {
      case 'ping':
        this.#pinged(from, packet.generation, body, current)
        break
      case 'ack':
        if (current !== undefined) prober.acked(from, body.seq)
        this.#heartbeat(from, body, current)
        break
      case 'ping-request':
        prober.relays.begin(from, body.seq, body.subject)
        break
      case 'nack':
        prober.nacked(from, body.seq)
        break
      case 'gossip':
        break
      case 'buckets':
        if (current !== undefined) pages.asked(current, body.sums)
        break
      case 'sync':
        if (current === undefined) break
        if (body.reply) sync.answer(current, body.buckets)
        sync.received(current, body)
        break
      case 'leave':
        this.#merge({ record: body.record, accusations: [], contact: true }, from)
        this.#parts.send(from, { type: 'leave-ack', seq: body.seq })
        break
      case 'leave-ack':
        departure.acknowledged(from)
        break
    }
  }

  #pinged(from: PeerId, generation: number, ping: Heartbeat, current: Member | undefined): void {
    const { turn, traffic, hearing, heartbeats } = this.#parts
    const order = current?.takeSeq(ping.seq) ?? 'new'
    if (order === 'replayed') hearing.misbehaved(from, 'replayed')
    if (order !== 'new') return
    // Nobody is blamed for it: at the other end people may measure round trips in a loop.
    if (!traffic.takesPing(from, turn.now)) return
    heartbeats.ack(from, ping.seq, generation)
    this.#heartbeat(from, ping, current)
  }

  #heartbeat(from: PeerId, heartbeat: Heartbeat, current: Member | undefined): void {
    const { own, defence } = this.#parts
    const { belief, otherLife } = heartbeat
    if (otherLife !== undefined) {
      const known = otherLife.body.generation === belief.generation
      defence.confront(otherLife, known ? belief.heardAgoMs : undefined, from)
      if (!own.running) return
    }
    const mine = belief.generation === own.generation
    if (otherLife === undefined || mine) defence.believed(belief, current)
    if (current !== undefined) this.#learn(current, heartbeat, mine)
    if (own.status === 'joining' && heartbeat.type === 'ack' && mine) this.#parts.settle()
  }

  /** `mine`: it speaks of the own current life. */
  #learn(member: Member, heartbeat: Heartbeat, mine: boolean): void {
    const { turn, sync } = this.#parts
    const { belief } = heartbeat
    member.loopLagMs = heartbeat.loopLagMs
    member.knowsGeneration = belief.generation
    member.knowsIncarnation = belief.incarnation
    if (member.status !== 'alive' || (mine && belief.standing !== 'alive')) sync.disputed(member)
    sync.compare(member, heartbeat.digest)
    for (const { kind, body } of heartbeat.riders) {
      turn.emit({ type: 'rider', from: member.peer, generation: member.generation, kind, body })
    }
  }

  /** Contact with somebody who is not believed alive asks for a higher incarnation. */
  #tellWhatIsBelieved(member: Member, itsGeneration: number): void {
    const stale = itsGeneration < member.generation
    if (!stale && (member.status === 'alive' || itsGeneration > member.generation)) return
    if (this.#parts.heartbeats.mayTell(member))
      this.#parts.send(member.peer, { type: 'gossip' }, [member.update()])
  }
}

/**
 * Own messages: what each depends on, and on which way it goes. What it names is on
 * the disk before it is sent, and it is itself before its publisher is told so.
 */

import type { PeerId } from '../core.ts'
import type { CausalOrder } from './causal-order.ts'
import { compareDots, dotOf, dotText, entryKey } from './dots.ts'
import { durableKeys } from './durable-state.ts'
import { encodeEnvelope, sealEnvelope } from './envelope.ts'
import type { GroupContext } from './group-context.ts'
import type { GroupDisk } from './group-disk.ts'
import { multicastLimits } from './limits.ts'
import type { DotKey, EntryKey, Envelope, SignedHeader } from './messages.ts'

interface Waiting {
  readonly payload: Uint8Array
  readonly token: number
}

export class Publisher {
  readonly #group: GroupContext
  readonly #order: CausalOrder
  readonly #disk: GroupDisk
  /** To whom gossip reaches. */
  readonly #subscribed = new Set<PeerId>()
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #epoch = 0

  constructor(group: GroupContext, order: CausalOrder, disk: GroupDisk) {
    this.#group = group
    this.#order = order
    this.#disk = disk
  }

  /** This life's generation; 0 while it is not known. */
  get epoch(): number {
    return this.#epoch
  }

  /** Of the present epoch. */
  get lastSeq(): number {
    return this.#order.delivered.seq(this.#entry())
  }

  begin(epoch: number): void {
    this.#epoch = epoch
    this.flush()
  }

  subscription(peer: PeerId, subscribed: boolean): void {
    if (subscribed) this.#subscribed.add(peer)
    else this.#subscribed.delete(peer)
  }

  /** Before this peer stands on a baseline and has a generation, it waits. */
  publish(payload: Uint8Array, token: number): void {
    const { waitingPublishes, waitingBytes } = multicastLimits
    if (this.#canPublish()) this.#publish(payload, token)
    else if (this.#waiting.length >= waitingPublishes || this.#waitingBytes + payload.length > waitingBytes) {
      this.#refuse(token, 'ERR_WOULD_BLOCK')
    } else {
      this.#waiting.push({ payload, token })
      this.#waitingBytes += payload.length
    }
  }

  /** What has waited. */
  flush(): void {
    if (!this.#canPublish()) return
    const waiting = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    for (const { payload, token } of waiting) this.#publish(payload, token)
  }

  refuseAll(code: `ERR_${string}`): void {
    for (const { token } of this.#waiting) this.#refuse(token, code)
    this.#waiting = []
    this.#waitingBytes = 0
  }

  #canPublish(): boolean {
    return this.#order.isOpen && this.#epoch > 0
  }

  #publish(payload: Uint8Array, token: number): void {
    const { id, name, turn } = this.#group
    const envelope = this.#seal(payload)
    if (envelope === undefined) {
      this.#refuse(token, 'ERR_LAMPORT_EXHAUSTED')
      return
    }
    const bytes = encodeEnvelope(envelope)
    // Under way while it is written, and acknowledged when it is: a crash in between leaves a
    // message that others have, which comes back as one of an earlier life.
    turn.request({ type: 'gossip', group: id, bytes })
    this.#pushDirectly(envelope)
    this.#disk.writeOwn(envelope, bytes)
    const { index } = this.#order.takeOwn(envelope, this.#group.now)
    turn.emit({ type: 'published', token, name, envelope, index })
  }

  /** Undefined when the clock of the group is at its end. */
  #seal(payload: Uint8Array): Envelope | undefined {
    const { id, init, turn } = this.#group
    const last = this.#order.delivered.last(this.#entry())
    const old = last === undefined ? this.#lastOfFormerLives() : undefined
    const predecessor = last ?? old
    const named = predecessor === undefined ? '' : dotText(dotOf(predecessor))
    const dependencies = nameable(this.#order.frontier.dots().filter((dot) => dotText(dot) !== named))
    const before = this.#lamportBefore(predecessor, dependencies)
    if (before + 1 >= multicastLimits.counter) return undefined
    const stamped = init.clock.stamp(turn.instant)
    if (stamped?.ceiling !== undefined) turn.persist(durableKeys.clock, stamped.ceiling)
    return sealEnvelope(
      {
        cluster: init.cluster,
        group: id,
        author: init.self,
        epoch: this.#epoch,
        seq: (last?.last ?? 0) + 1,
        previous: predecessor?.hash,
        lamport: before + 1,
        hybrid: stamped?.stamp,
        dependencies,
        old: old === undefined ? undefined : dotOf(old),
      },
      [payload],
      init.crypto,
    )
  }

  #lamportBefore(predecessor: SignedHeader | undefined, dependencies: readonly DotKey[]): number {
    let before = predecessor?.lastLamport ?? 0
    for (const dot of dependencies) {
      const header = this.#order.log.header(dot)
      if (header === undefined) throw new Error(`the header of the frontier's ${dotText(dot)} is missing`)
      before = Math.max(before, header.header.lamport + (dot.seq - header.header.seq))
    }
    return before
  }

  /** The last own message of earlier lives that this one has delivered. */
  #lastOfFormerLives(): SignedHeader | undefined {
    const author = this.#group.directory.keyOf(this.#group.init.self)
    let newest: SignedHeader | undefined
    for (const header of this.#order.delivered.values()) {
      if (header.authorKey !== author || header.header.epoch === this.#epoch) continue
      if (newest === undefined || header.lastLamport > newest.lastLamport) newest = header
    }
    return newest
  }

  /** To members whom gossip does not reach yet; they do not pass it on. */
  #pushDirectly(envelope: Envelope): void {
    let pushes = 0
    for (const peer of this.#group.reachable()) {
      if (this.#subscribed.has(peer)) continue
      if (pushes++ >= this.#group.init.config.directPushes) return
      this.#group.send(peer, { type: 'push', envelope })
    }
  }

  #entry(): EntryKey {
    return entryKey(this.#group.directory.keyOf(this.#group.init.self), this.#epoch)
  }

  #refuse(token: number, code: `ERR_${string}`): void {
    this.#group.turn.emit({ type: 'refused', token, code })
  }
}

/**
 * What one envelope can name of the frontier: all of it, but for a crowd of
 * concurrent logs. Then the newest log of each author first; the rest stays
 * maximal and is named by the next.
 */
function nameable(frontier: readonly DotKey[]): readonly DotKey[] {
  const limit = multicastLimits.dependencies
  if (frontier.length <= limit) return frontier
  const rank = new Map<DotKey, number>()
  const seen = new Map<string, number>()
  for (const dot of [...frontier].reverse()) {
    const before = seen.get(dot.author) ?? 0
    rank.set(dot, before)
    seen.set(dot.author, before + 1)
  }
  const chosen = [...frontier].sort((a, b) => (rank.get(a) ?? 0) - (rank.get(b) ?? 0)).slice(0, limit)
  return chosen.sort(compareDots)
}

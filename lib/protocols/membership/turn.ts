import type { Effect, Instant, PeerId } from '../core.ts'
import type { MembershipEvent, MembershipRequest, Packet } from './messages.ts'

export type MembershipEffect = Effect<Packet, MembershipEvent, MembershipRequest>

/** One step under way: what time it is, and the effects gathered so far, in order. */
export class Turn {
  #now: Instant = { monotonic: 0, wall: 0 }
  #effects: MembershipEffect[] = []

  /** Monotonic milliseconds of this step. */
  get now(): number {
    return this.#now.monotonic
  }

  /** Wall clock of this step; seeds generations and dates rows for people, never an age. */
  get wall(): number {
    return this.#now.wall
  }

  /** Both clocks, for whom needs them together. */
  get instant(): Instant {
    return this.#now
  }

  begin(now: Instant): void {
    this.#now = now
    this.#effects = []
  }

  end(): readonly MembershipEffect[] {
    return this.#effects
  }

  send(to: PeerId, message: Packet): void {
    this.#effects.push({ type: 'send', to, message })
  }

  emit(event: MembershipEvent): void {
    this.#effects.push({ type: 'emit', event })
  }

  persist(key: string, value: Uint8Array): void {
    this.#effects.push({ type: 'persist', key, value })
  }

  note(key: string, value: Uint8Array): void {
    this.#effects.push({ type: 'note', key, value })
  }

  request(request: MembershipRequest): void {
    this.#effects.push(request)
  }
}

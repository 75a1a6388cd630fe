import type { Effect, Instant, PeerId } from './core.ts'

/** One step of a core under way: what time it is, and the effects gathered so far, in order. */
export class Turn<Message, Event, Request> {
  #instant: Instant = { monotonic: 0, wall: 0 }
  #effects: Effect<Message, Event, Request>[] = []

  /** Monotonic milliseconds of this step. */
  get now(): number {
    return this.#instant.monotonic
  }

  /** Wall clock of this step; seeds generations and dates rows for people, never an age. */
  get wall(): number {
    return this.#instant.wall
  }

  /** Both clocks of this step. */
  get instant(): Instant {
    return this.#instant
  }

  begin(now: Instant): void {
    this.#instant = now
    this.#effects = []
  }

  end(): readonly Effect<Message, Event, Request>[] {
    return this.#effects
  }

  send(to: PeerId, message: Message): void {
    this.#effects.push({ type: 'send', to, message })
  }

  emit(event: Event): void {
    this.#effects.push({ type: 'emit', event })
  }

  /** `undefined` deletes the key. */
  persist(key: string, value: Uint8Array | undefined): void {
    this.#effects.push({ type: 'persist', key, value })
  }

  note(key: string, value: Uint8Array): void {
    this.#effects.push({ type: 'note', key, value })
  }

  request(request: Request): void {
    this.#effects.push(request)
  }
}

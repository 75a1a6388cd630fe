/**
 * Who shows whom as what, stamped by this process's clock when it arrives here,
 * for both sides alike.
 */
import { EventEmitter, once } from 'node:events'

export type Status = 'alive' | 'suspect' | 'stalled' | 'dead' | 'left'

export interface Sighting {
  readonly atMs: number
  readonly observer: string
  readonly subject: string
  readonly status: Status
}

/** What is waited for may never come. */
export const patienceMs = 120_000

export class Sightings {
  readonly #latest = new Map<string, Map<string, Status>>()
  readonly #log: Sighting[] = []
  /** By what was said, who has heard it. */
  readonly #heard = new Map<string, Set<string>>()
  readonly #changed = new EventEmitter().setMaxListeners(0)

  see(observer: string, subject: string, status: Status): void {
    const row = this.#latest.get(observer) ?? new Map<string, Status>()
    this.#latest.set(observer, row)
    if (row.get(subject) === status) return
    row.set(subject, status)
    this.#log.push({ atMs: performance.now(), observer, subject, status })
    this.#changed.emit('change')
  }

  hear(observer: string, news: string): void {
    const listeners = this.#heard.get(news) ?? new Set()
    this.#heard.set(news, listeners.add(observer))
    this.#changed.emit('change')
  }

  /** Its process ended: what it showed is void. */
  forget(observer: string): void {
    this.#latest.delete(observer)
  }

  status(observer: string, subject: string): Status | undefined {
    return this.#latest.get(observer)?.get(subject)
  }

  /** In the order of their arrival. */
  log(): readonly Sighting[] {
    return this.#log
  }

  everywhere(observers: readonly string[], subjects: readonly string[], status: Status): boolean {
    return observers.every((observer) =>
      subjects.every((subject) => this.status(observer, subject) === status),
    )
  }

  /** False after `withinMs`. */
  async until(holds: () => boolean, withinMs: number, signal: AbortSignal): Promise<boolean> {
    const limit = AbortSignal.timeout(withinMs)
    while (!holds()) {
      try {
        await once(this.#changed, 'change', { signal: AbortSignal.any([limit, signal]) })
      } catch (error) {
        signal.throwIfAborted()
        if (limit.aborted) return false
        throw error
      }
    }
    return true
  }

  heardBy(news: string): number {
    return this.#heard.get(news)?.size ?? 0
  }
}

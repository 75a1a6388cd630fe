import type { MutexBounds, MutexEvent } from '../../../../plugins/mutex/checker/history.ts'

export const bounds: MutexBounds = {
  timely: true,
  overtaking: 1,
  noQuorumMs: 100,
  calmMs: 100,
  quietAtEnd: true,
}

/** `Omit` that keeps a union apart. */
type Without<Event, Keys extends string> = Event extends unknown ? Omit<Event, Keys> : never

const lock = 'door'

/** A history of one lock, written by hand; every event is 10 ms after the one before. */
export class Log {
  readonly events: MutexEvent[] = []
  #at = 0
  #requests = 0

  /** With `at` it is then, and so is what follows. */
  add(event: Without<MutexEvent, 'at'> & { readonly at?: number }): this {
    this.#at = event.at ?? this.#at + 10
    this.events.push({ ...event, at: this.#at } as MutexEvent)
    return this
  }

  /** Lets time pass. */
  wait(ms: number): this {
    this.#at += ms
    return this
  }

  ask(peer: string, more: { caller?: string; life?: number } = {}): number {
    const request = ++this.#requests
    this.add({ type: 'asked', lock, peer, life: 1, request, ...more })
    return request
  }

  enter(
    peer: string,
    token: number,
    request?: number,
    more: { version?: number; until?: number } = {},
  ): this {
    const entered = { type: 'entered', lock, peer, life: 1, token, ...more } as const
    if (request === undefined) return this.add(entered)
    this.add({ ...entered, request })
    return this.answer(request, 'entered')
  }

  leave(peer: string, token: number, how: 'released' | 'lost' | 'died' = 'released'): this {
    return this.add({ type: 'left', lock, peer, life: 1, token, how })
  }

  renew(peer: string, token: number, until: number): this {
    return this.add({ type: 'renewed', lock, peer, life: 1, token, until })
  }

  answer(request: number, outcome: 'entered' | 'held' | 'no-quorum' | 'cancelled' | 'failed'): this {
    return this.add({ type: 'answered', request, outcome })
  }

  show(token: number, taken: boolean, resource?: string): this {
    return this.add({ type: 'shown', lock, token, taken, ...(resource === undefined ? {} : { resource }) })
  }

  /** Asks, enters and leaves. */
  visit(peer: string, token: number, caller?: string): this {
    const request = this.ask(peer, caller === undefined ? {} : { caller })
    return this.enter(peer, token, request).leave(peer, token)
  }

  vote(arbiter: string, request: number, until: number, version = 1): this {
    return this.add({ type: 'voted', lock, arbiter, version, request, until })
  }

  extend(arbiter: string, request: number, until: number, version = 1): this {
    return this.add({ type: 'extended', lock, arbiter, version, request, until })
  }

  free(arbiter: string, request: number, version = 1): this {
    return this.add({ type: 'freed', lock, arbiter, version, request })
  }
}

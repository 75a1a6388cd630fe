import type {
  HistoryEvent,
  MembershipBounds,
  Verdict,
  ViewStatus,
} from '../../../testnet/checkers/history.ts'

export const bounds: MembershipBounds = { detectionMs: 1000, convergenceMs: 1000, graceMs: 300 }

/** Writes a history line by line; each method stands for one event. */
export class Script {
  readonly events: HistoryEvent[] = []

  started(at: number, peer: string, life = 1, forgetful = false): this {
    return this.#add({ at, type: 'started', peer, life, ...(forgetful ? { forgetful } : {}) })
  }

  ready(at: number, peer: string, generation?: number): this {
    return this.#add({ at, type: 'ready', peer, ...(generation === undefined ? {} : { generation }) })
  }

  ends(at: number, type: 'killed' | 'stopped' | 'left', peer: string): this {
    return this.#add({ at, type, peer })
  }

  freezes(at: number, type: 'paused' | 'resumed', peer: string): this {
    return this.#add({ at, type, peer })
  }

  cut(at: number, from: readonly string[], to: readonly string[]): this {
    return this.#add({ at, type: 'cut', from, to })
  }

  degraded(at: number): this {
    return this.#add({ at, type: 'degraded' })
  }

  healed(at: number): this {
    return this.#add({ at, type: 'healed' })
  }

  view(
    at: number,
    observer: string,
    subject: string,
    status: ViewStatus,
    generation: number,
    incarnation: number,
  ): this {
    return this.#add({ at, type: 'view', observer, subject, status, generation, incarnation })
  }

  end(at: number): this {
    return this.#add({ at, type: 'end' })
  }

  /** All of `peers` start at 0, are ready at 100 and show each other alive at 200, generation 1. */
  formed(...peers: readonly string[]): this {
    for (const peer of peers) this.started(0, peer)
    for (const peer of peers) this.ready(100, peer)
    for (const observer of peers) {
      for (const subject of peers) this.view(200, observer, subject, 'alive', 1, 0)
    }
    return this
  }

  #add(event: HistoryEvent): this {
    this.events.push(event)
    return this
  }
}

export function script(): Script {
  return new Script()
}

/** Three peers form, `c` is killed, found dead, and returns as generation 2. */
export function returned(): Script {
  return script()
    .formed('a', 'b', 'c')
    .ends(1000, 'killed', 'c')
    .view(1400, 'a', 'c', 'dead', 1, 0)
    .view(1600, 'b', 'c', 'dead', 1, 0)
    .started(2000, 'c', 2)
    .ready(2300, 'c')
    .view(2300, 'c', 'c', 'alive', 2, 0)
    .view(2300, 'c', 'a', 'alive', 1, 0)
    .view(2350, 'c', 'b', 'alive', 1, 0)
    .view(2400, 'a', 'c', 'alive', 2, 0)
    .view(2500, 'b', 'c', 'alive', 2, 0)
    .end(5000)
}

export function properties(verdict: Verdict<unknown>): string[] {
  return verdict.violations.map(({ property }) => property)
}

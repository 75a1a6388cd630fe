/** What happened to the peers: when no quorum could be reached, when it was calm, whose life ended. */
import type { MutexEvent } from './history.ts'

/** From `from` on, until before `to`. */
export interface Period {
  readonly from: number
  readonly to: number
}

export interface Scene {
  /** When this peer could reach no quorum. */
  outages(peer: string): readonly Period[]
  /** Undefined where the history never says whether it is calm. */
  readonly calms: readonly Period[] | undefined
  /** Infinity for a life that goes on. */
  goneAt(peer: string, life: number): number
}

/** `history` is in order; what is not over at its end goes on. */
export function readScene(history: readonly MutexEvent[]): Scene {
  let calms: Switch | undefined
  const everybody = new Switch()
  const single = new Map<string, Switch>()
  const gone = new Map<string, number>()
  for (const event of history) {
    if (event.type === 'calm') {
      calms ??= new Switch()
      calms.set(event.calm, event.at)
    } else if (event.type === 'gone') gone.set(keyOf(event.peer, event.life), event.at)
    else if (event.type === 'quorum' && event.peer === undefined) everybody.set(!event.reachable, event.at)
    else if (event.type === 'quorum' && event.peer !== undefined) {
      const own = single.get(event.peer) ?? new Switch()
      single.set(event.peer, own)
      own.set(!event.reachable, event.at)
    }
  }
  return {
    calms: calms?.periods(),
    outages: (peer) => [...everybody.periods(), ...(single.get(peer)?.periods() ?? [])],
    goneAt: (peer, life) => gone.get(keyOf(peer, life)) ?? Number.POSITIVE_INFINITY,
  }
}

/** Something that is on and off in turns. */
class Switch {
  readonly #over: Period[] = []
  #onSince: number | undefined

  set(on: boolean, at: number): void {
    if (on) this.#onSince ??= at
    else if (this.#onSince !== undefined) {
      this.#over.push({ from: this.#onSince, to: at })
      this.#onSince = undefined
    }
  }

  periods(): readonly Period[] {
    if (this.#onSince === undefined) return this.#over
    return [...this.#over, { from: this.#onSince, to: Number.POSITIVE_INFINITY }]
  }
}

function keyOf(peer: string, life: number): string {
  return `${peer}\n${life}`
}

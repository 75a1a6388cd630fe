import { describeView, type HistoryEvent, type ViewEvent, type Violation } from './history.ts'
import type { Truth } from './truth.ts'

/** Who showed a life as over for so long, ms, has written that down. */
const writtenMs = 5000

interface Burial {
  readonly at: number
  readonly generation: number
}

/** What observers remember over their restarts: the lives that they saw end. Only lives that really ended count. */
export class Burials {
  readonly #truth: Truth
  readonly #rememberedMs: number
  readonly #now = new Map<string, Map<string, Burial>>()
  readonly #before = new Map<string, Map<string, Burial>>()

  constructor(truth: Truth, rememberedMs = Number.POSITIVE_INFINITY) {
    this.#truth = truth
    this.#rememberedMs = rememberedMs
  }

  /** A new life of an observer: what it saw long enough before its last one ended is remembered, unless the disk went back. */
  start({ peer, forgetful }: Extract<HistoryEvent, { type: 'started' }>): void {
    const remembered = (forgetful ? undefined : this.#before.get(peer)) ?? new Map<string, Burial>()
    const endedAt = this.#truth.lives(peer).at(-2)?.endedAt
    for (const [subject, burial] of this.#now.get(peer) ?? []) {
      if (!forgetful && endedAt !== undefined && endedAt - burial.at > writtenMs)
        remembered.set(subject, burial)
    }
    this.#now.delete(peer)
    this.#before.set(peer, remembered)
  }

  see(view: ViewEvent): readonly Violation[] {
    const { observer, subject, generation, at } = view
    const over = this.#truth.lifeOf(subject, generation)?.endedAt !== undefined
    if (view.status === 'dead' || view.status === 'left') {
      const own = this.#now.get(observer) ?? new Map<string, Burial>()
      this.#now.set(observer, own)
      if (over && own.get(subject)?.generation !== generation) own.set(subject, { at, generation })
      return []
    }
    const burial = this.#before.get(observer)?.get(subject)
    if (!over || burial === undefined || generation > burial.generation) return []
    if (at - burial.at > this.#rememberedMs) return []
    const message = `${describeView(view)}, a life that it showed as over before its own restart`
    return [{ property: 'no-resurrection', at, message }]
  }
}

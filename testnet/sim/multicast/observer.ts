import type { Core, Effect, Input, Instant } from '../../../lib/protocols/core.ts'
import type {
  Envelope,
  MulticastCommand,
  MulticastEvent,
  MulticastPacket,
} from '../../../lib/protocols/multicast/messages.ts'
import type { Life, SimRequest } from './group-host.ts'
import { type Truth, Witness, withMarks } from './witness.ts'

type SimEffect = Effect<MulticastPacket, MulticastEvent, SimRequest>
type Inner = Core<MulticastPacket, MulticastCommand, MulticastEvent, SimRequest>
type Delivered = Extract<MulticastEvent, { type: 'delivered' }>

interface Publication {
  readonly before: number
  readonly passed: () => void
}

export interface ObserverInit {
  readonly truth: Truth
  readonly life: () => Life
  /** The number of a new stay in that group; recorded as a start. */
  readonly stay: (group: string) => number
}

/** Deliveries between two looks at a frontier. */
const lookEvery = 8

/**
 * A core as its process sees it, with every step looked at: what it decides is
 * noted at once, and goes into the history when the effect is carried out.
 */
export class Observer implements Inner {
  readonly #core: Inner
  readonly #init: ObserverInit
  readonly #witnesses = new Map<string, Witness>()
  /** To be recorded when the event is told. */
  readonly #told = new WeakMap<MulticastEvent, () => void>()
  #deliveries = 0

  constructor(core: Inner, init: ObserverInit) {
    this.#core = core
    this.#init = init
  }

  get deadline(): number | undefined {
    return this.#core.deadline
  }

  get witnesses(): ReadonlyMap<string, Witness> {
    return this.#witnesses
  }

  step(input: Input<MulticastPacket, MulticastCommand>, now: Instant): readonly SimEffect[] {
    if (input.type === 'join') this.witness(input.name)
    const effects = this.#core.step(input, now)
    if (effects.length === 0) return effects
    const publications: Publication[] = []
    for (const [i, effect] of effects.entries()) {
      if (effect.type === 'emit') this.#observe(effect.event, i, effects, publications)
    }
    if (this.#deliveries >= lookEvery) {
      this.#deliveries = 0
      this.compare()
    }
    return publications.length === 0 ? effects : withMarks(effects, publications)
  }

  /** An event reached the embedder. */
  emitted(event: MulticastEvent): void {
    this.#told.get(event)?.()
  }

  compare(): void {
    for (const witness of this.#witnesses.values()) witness.compare()
  }

  /** The process ended. */
  ended(): void {
    for (const witness of this.#witnesses.values()) witness.ended()
  }

  /** Its app leaves the group. */
  left(group: string): void {
    this.#witnesses.get(group)?.left()
    this.#witnesses.delete(group)
  }

  witness(group: string): Witness {
    const known = this.#witnesses.get(group)
    if (known !== undefined) return known
    const { truth, life, stay } = this.#init
    const witness = new Witness(truth, life(), group, stay(group))
    this.#witnesses.set(group, witness)
    return witness
  }

  #observe(
    event: MulticastEvent,
    i: number,
    effects: readonly SimEffect[],
    publications: Publication[],
  ): void {
    switch (event.type) {
      case 'ready': {
        const witness = this.witness(event.name)
        if (witness.entered) return
        const entry = witness.ready(event.index, deliveriesAfter(effects, i, event.name))
        this.#told.set(event, () => witness.record(entry))
        return
      }
      case 'delivered': {
        this.#deliveries++
        const witness = this.witness(event.name)
        this.#publication(witness, event.envelope, i, effects, publications)
        const entries = witness.delivered(event)
        this.#told.set(event, () => {
          for (const entry of entries) witness.record(entry)
        })
        return
      }
      case 'published': {
        const witness = this.witness(event.name)
        this.#publication(witness, event.envelope, i, effects, publications)
        this.#told.set(event, () => witness.promised(event.envelope))
        return
      }
      case 'history-truncated': {
        const witness = this.witness(event.name)
        const entry = witness.truncated(event)
        this.#told.set(event, () => witness.record(entry))
        return
      }
      case 'equivocation': {
        const witness = this.witness(event.name)
        const entry = witness.equivocation(event)
        this.#told.set(event, () => witness.record(entry))
        return
      }
      case 'refused':
      case 'gap':
      case 'undeliverable':
      case 'misbehaved':
        return
      default:
        event satisfies never
    }
  }

  #publication(
    witness: Witness,
    envelope: Envelope,
    i: number,
    effects: readonly SimEffect[],
    publications: Publication[],
  ): void {
    if (!witness.isNews(envelope)) return
    const entries = witness.publishes(envelope)
    // Whatever is gossiped in this step may be it.
    const gossip = effects.findIndex((effect) => effect.type === 'gossip')
    const before = gossip < 0 ? i : Math.min(i, gossip)
    publications.push({ before, passed: () => witness.exposed(entries) })
  }
}

function deliveriesAfter(effects: readonly SimEffect[], i: number, name: string): Delivered[] {
  return effects.slice(i + 1).flatMap((effect) => {
    if (effect.type !== 'emit' || effect.event.type !== 'delivered') return []
    return effect.event.name === name ? [effect.event] : []
  })
}

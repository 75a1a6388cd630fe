import type { Frame } from './frame.ts'
import { hash32 } from './hash.ts'
import type { Random } from './random.ts'

export interface LinkOptions {
  /** Shortest one-way latency of a pair is drawn between these, ms. */
  readonly latencyMinMs: number
  readonly latencyMaxMs: number
  /** Mean of the exponential jitter on top, ms. */
  readonly jitterMs: number
  /** Chance that one transmission is lost. */
  readonly loss: number
  /** Of datagrams only: chance of a second copy, and of one that takes a detour. */
  readonly duplication: number
  readonly reordering: number
  /** Of datagrams only: chance that a bit is flipped. */
  readonly corruption: number
}

/** The way from one machine to another. */
export interface Direction {
  readonly random: Random
  readonly baseMs: number
  /** How many cuts there are now; it passes while there is none. */
  cuts: number
}

/** First retransmission of a segment, and of a connection's first packet (RFC 6298), ms. */
const rtoMs = 200
export const synRtoMs = 1000
const maxRtoMs = 120_000

/** The cables: latency, loss and cuts from each machine to each other, by index. */
export class Links {
  options: LinkOptions
  readonly #random: Random
  readonly #directions = new Map<number, Direction>()

  constructor(random: Random, options: LinkOptions) {
    this.#random = random
    this.options = options
  }

  isCut(from: number, to: number): boolean {
    return this.direction(from, to).cuts > 0
  }

  /** Cuts may overlap; each is mended on its own. */
  cut(from: number, to: number): void {
    this.direction(from, to).cuts++
  }

  mend(from: number, to: number): void {
    const direction = this.direction(from, to)
    direction.cuts = Math.max(0, direction.cuts - 1)
  }

  /** One-way time of a stream's segment: TCP turns loss into delay. */
  segmentDelay(direction: Direction, firstRtoMs = rtoMs): number {
    let delay = this.#latency(direction)
    for (let rto = firstRtoMs; rto < maxRtoMs && direction.random.chance(this.options.loss); rto *= 2) {
      delay += rto
    }
    return delay
  }

  /** The copies of a datagram that arrive, none to two, and when. */
  datagrams(from: number, to: number, frame: Frame): readonly { delayMs: number; frame: Frame }[] {
    const direction = this.direction(from, to)
    const { random } = direction
    const copies = random.chance(this.options.duplication) ? 2 : 1
    const arriving: { delayMs: number; frame: Frame }[] = []
    for (let i = 0; i < copies; i++) {
      if (random.chance(this.options.loss)) continue
      const detourMs = random.chance(this.options.reordering) ? random.between(1, 100) : 0
      const damaged = random.chance(this.options.corruption)
      const delayMs = this.#latency(direction) + detourMs
      arriving.push({ delayMs, frame: damaged ? damage(frame, random) : frame })
    }
    return arriving
  }

  #latency(direction: Direction): number {
    return direction.baseMs + direction.random.exponential(this.options.jitterMs)
  }

  /** Always the same object for the same two, so that who sends often may keep it. */
  direction(from: number, to: number): Direction {
    const key = from * 65_536 + to
    let direction = this.#directions.get(key)
    if (direction === undefined) {
      const random = this.#random.stream(`${from}>${to}`)
      const baseMs = random.between(this.options.latencyMinMs, this.options.latencyMaxMs)
      direction = { random, baseMs, cuts: 0 }
      this.#directions.set(key, direction)
    }
    return direction
  }
}

function damage(frame: Frame, random: Random): Frame {
  const bytes = frame.bytes.slice()
  const at = random.whole(0, Math.max(0, bytes.length - 1))
  if (bytes.length > 0) bytes[at] = (bytes[at] as number) ^ (1 << random.whole(0, 7))
  return { bytes, hash: hash32(bytes) }
}

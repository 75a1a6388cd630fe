/**
 * What really is so at each moment of a history: which processes run, which are
 * frozen or cut off, and which generation belongs to which life.
 *
 * It follows from what was done to the cluster alone. Of what members say it
 * takes one thing: which generations have been heard of before a life began.
 */
import type { HistoryEvent } from './history.ts'

export type Ending = 'killed' | 'stopped' | 'left'

/** From one start of a process to its end. */
export interface Life {
  readonly number: number
  readonly startedAt: number
  /** Highest generation that anybody had named when it started; its own ones are above. */
  readonly floor: number
  readyAt: number | undefined
  endedAt: number | undefined
  /** How it ended; a process that was told to stop and is then killed has both. */
  endings: Ending[]
  /** The last generation that the peer itself named in this life. */
  named: number | undefined
}

interface Peer {
  readonly lives: Life[]
  highest: number
  paused: boolean
  pausedAt: number
  /** The whole machine stood still, not its process alone. */
  machinePaused: boolean
  resumedAt: number
}

interface Cut {
  readonly from: ReadonlySet<string>
  readonly to: ReadonlySet<string>
  healedAt: number
}

const neverPaused = { paused: false, pausedAt: -Infinity, machinePaused: false, resumedAt: -Infinity }

export class Truth {
  readonly #peers = new Map<string, Peer>()
  #cuts: Cut[] = []
  #degraded = false
  readonly #dismissed = new Set<string>()
  readonly #keepCutsMs: number

  /** `graceMs`: how long after its end a cut still excuses. */
  constructor(graceMs: number) {
    this.#keepCutsMs = graceMs
  }

  apply(event: HistoryEvent): void {
    switch (event.type) {
      case 'started':
        this.#start(event.peer, event.life, event.at)
        break
      case 'ready': {
        const life = this.life(event.peer)
        if (life === undefined || life.endedAt !== undefined) return
        life.readyAt = event.at
        if (event.generation !== undefined) this.#name(event.peer, event.generation, true)
        return
      }
      case 'killed':
      case 'stopped':
      case 'left':
        this.#end(event.peer, event.type, event.at)
        break
      case 'paused':
      case 'resumed': {
        const peer = this.#peers.get(event.peer)
        if (peer === undefined) return
        peer.paused = event.type === 'paused'
        if (event.type === 'paused') {
          peer.pausedAt = event.at
          peer.machinePaused = event.machine ?? false
        } else peer.resumedAt = event.at
        return
      }
      case 'cut':
        this.#cuts.push({ from: new Set(event.from), to: new Set(event.to), healedAt: Infinity })
        return
      case 'degraded':
        this.#degraded = true
        return
      case 'healed':
        this.#heal(event.at)
        break
      case 'view':
        if (!this.live(event.observer)) return
        this.#name(event.subject, event.generation, event.observer === event.subject)
        break
      case 'formed':
        for (const { peer, generation } of event.members) {
          this.#start(peer, 1, event.at)
          this.#name(peer, generation, true)
          const life = this.life(peer)
          if (life !== undefined) life.readyAt = event.at
        }
        return
      case 'dismissed':
        this.#dismissed.add(`${event.generation} ${event.peer}`)
        return
      case 'end':
        break
      default:
        event satisfies never
    }
  }

  /** Every peer that was ever started. */
  peers(): Iterable<string> {
    return this.#peers.keys()
  }

  known(peer: string): boolean {
    return this.#peers.has(peer)
  }

  /** Its latest life. */
  life(peer: string): Life | undefined {
    return this.#peers.get(peer)?.lives.at(-1)
  }

  lives(peer: string): readonly Life[] {
    return this.#peers.get(peer)?.lives ?? []
  }

  /** Runs, and was not told to end. */
  live(peer: string): boolean {
    const life = this.life(peer)
    return life !== undefined && life.endedAt === undefined
  }

  paused(peer: string): boolean {
    return this.#peers.get(peer)?.paused ?? false
  }

  /** Takes part: runs, is ready and not frozen. */
  active(peer: string): boolean {
    return this.live(peer) && this.life(peer)?.readyAt !== undefined && !this.paused(peer)
  }

  /** Frozen now, or until less than the grace ago. */
  lately(peer: string, at: number): boolean {
    const state = this.#peers.get(peer)
    return state !== undefined && (state.paused || at - state.resumedAt <= this.#keepCutsMs)
  }

  /** Somebody took that life out of the membership. */
  dismissed(peer: string, generation: number): boolean {
    return this.#dismissed.has(`${generation} ${peer}`)
  }

  /** Since when its process alone stands still, or stood still last; undefined when the machine did, or nothing ever. */
  processPausedAt(peer: string): number | undefined {
    const state = this.#peers.get(peer)
    if (state === undefined || state.machinePaused || state.pausedAt === -Infinity) return undefined
    return state.pausedAt
  }

  /** Bytes between the two do not pass in at least one direction, or did not until less than the grace ago. */
  severed(a: string, b: string, at: number): boolean {
    return this.#cuts.some(
      ({ from, to, healedAt }) =>
        (healedAt === Infinity || at - healedAt <= this.#keepCutsMs) &&
        ((from.has(a) && to.has(b)) || (from.has(b) && to.has(a))),
    )
  }

  /** Some cut concerns this peer now. */
  cutOff(peer: string): boolean {
    return this.#cuts.some(
      ({ from, to, healedAt }) => healedAt === Infinity && (from.has(peer) || to.has(peer)),
    )
  }

  /** The network does less than the bounds take for granted, for everybody. */
  get degraded(): boolean {
    return this.#degraded
  }

  /** No cut and no degradation anywhere. */
  get whole(): boolean {
    return !this.#degraded && this.#cuts.every(({ healedAt }) => healedAt !== Infinity)
  }

  /** The life that a generation belongs to: the latest that began when only lower ones were known. */
  lifeOf(peer: string, generation: number): Life | undefined {
    const lives = this.lives(peer)
    for (let index = lives.length - 1; index >= 0; index--) {
      const life = lives[index]
      if (life !== undefined && generation > life.floor) return life
    }
    return undefined
  }

  #start(name: string, number: number, at: number): void {
    const peer = this.#peers.get(name) ?? { lives: [], highest: -1, ...neverPaused }
    this.#peers.set(name, Object.assign(peer, neverPaused))
    peer.lives.push({
      number,
      startedAt: at,
      floor: peer.highest,
      readyAt: undefined,
      endedAt: undefined,
      endings: [],
      named: undefined,
    })
  }

  #end(peer: string, ending: Ending, at: number): void {
    const life = this.life(peer)
    if (life === undefined) return
    life.endedAt ??= at
    life.endings.push(ending)
  }

  #heal(at: number): void {
    this.#degraded = false
    this.#cuts = this.#cuts.filter(
      (cut) => cut.healedAt === Infinity || at - cut.healedAt <= this.#keepCutsMs,
    )
    for (const cut of this.#cuts) if (cut.healedAt === Infinity) cut.healedAt = at
  }

  #name(name: string, generation: number, byItself: boolean): void {
    const peer = this.#peers.get(name)
    if (peer === undefined) return
    if (generation > peer.highest) peer.highest = generation
    const life = peer.lives.at(-1)
    if (byItself && life !== undefined) life.named = generation
  }
}

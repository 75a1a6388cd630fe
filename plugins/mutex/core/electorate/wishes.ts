/** What was asked by hand, and is not yet so: kept for a while by every voter that was told, as long as it is repeated. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { Wish } from './messages.ts'
import type { Standing } from './standing.ts'

/** A wish that is not repeated is forgotten. */
const rememberedMs = 2500
const most = 64

interface Noted {
  readonly wish: Wish
  readonly until: number
  /** This voter was asked to see to it. */
  readonly isOwn: boolean
}

export class Wishes {
  readonly #standing: Standing
  readonly #wishes = new Map<string, Noted>()

  constructor(standing: Standing) {
    this.#standing = standing
  }

  note(wish: Wish, isOwn: boolean): void {
    const { host } = this.#standing
    this.#expire()
    const key = `${wish.type} ${wish.peer}`
    // Whoever changes their mind means the last that they said.
    if (wish.type === 'add') this.#wishes.delete(`remove ${wish.peer}`)
    else this.#wishes.delete(`add ${wish.peer}`)
    if (!this.#wishes.has(key) && this.#wishes.size >= most) return
    this.#wishes.set(key, {
      wish,
      until: host.now + rememberedMs,
      isOwn: isOwn || this.#wishes.get(key)?.isOwn === true,
    })
  }

  /** This voter was asked to see to something. */
  get hasOwn(): boolean {
    this.#expire()
    return [...this.#wishes.values()].some(({ isOwn }) => isOwn)
  }

  /** Those that are asked to be added, removed, or that mean to leave. */
  of(type: Wish['type']): ReadonlySet<PeerId> {
    this.#expire()
    const peers = [...this.#wishes.values()].filter(({ wish }) => wish.type === type)
    return new Set(peers.map(({ wish }) => wish.peer))
  }

  /** There is a new last version: what it fulfils is over, also for those who were not asked. */
  settle(voters: readonly PeerId[]): void {
    for (const [key, { wish }] of this.#wishes) {
      const isSo = voters.includes(wish.peer) === (wish.type === 'add')
      if (isSo && wish.type !== 'leave') this.#wishes.delete(key)
    }
  }

  clear(): void {
    this.#wishes.clear()
  }

  #expire(): void {
    const { now } = this.#standing.host
    for (const [key, { until }] of this.#wishes) if (until <= now) this.#wishes.delete(key)
  }
}

import type { PeerId } from '../../../lib/protocols/core.ts'
import type { MemberNews } from '../../../plugins/mutex/core/messages.ts'
import type { Links } from '../links.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import { isAwake, type Life, type LockHost, type Row } from './lock-host.ts'
import type { RosterOptions } from './options.ts'

/**
 * Membership by fiat: who can be reached is alive, who cannot becomes suspect and
 * then dead, each observer in its own time, and sometimes it is wrong for a while.
 */
export class Roster {
  readonly #world: World
  readonly #links: Links
  readonly #hosts: readonly LockHost[]
  readonly #options: RosterOptions
  readonly #random: Random
  /** When that life last heard of that peer. */
  readonly #heard = new WeakMap<Life, Map<PeerId, number>>()
  readonly #slanders = new Map<Life, Map<PeerId, { status: 'suspect' | 'dead'; until: number }>>()

  constructor(world: World, links: Links, hosts: readonly LockHost[], options: RosterOptions) {
    this.#world = world
    this.#links = links
    this.#hosts = hosts
    this.#options = options
    this.#random = world.random.stream('roster')
  }

  /** A life begins with what its membership already knows: nobody, or whom the last life knew. */
  atStart(host: LockHost, generation: number): MemberNews[] {
    const self: MemberNews = { peer: host.peer, status: 'alive', generation, connected: false }
    const { present } = host
    if (present === undefined || this.#random.chance(0.5)) return [self]
    const known = [...present.rows].filter(([, { status }]) => status === 'alive' || status === 'suspect')
    return [
      self,
      ...known.map(([peer, row]) => ({ peer, ...row, status: 'alive' as const, connected: false })),
    ]
  }

  arrived(life: Life): void {
    this.#heard.set(life, new Map([...life.rows.keys()].map((peer) => [peer, this.#world.now])))
    this.#lookLater(life, this.#random.between(5, this.#options.lookMs))
  }

  /** `life` is told for a while that `peer` is not well, whatever is true. */
  slander(life: Life, peer: PeerId, status: 'suspect' | 'dead', forMs: number): void {
    const slanders = this.#slanders.get(life) ?? new Map()
    slanders.set(peer, { status, until: this.#world.now + forMs })
    this.#slanders.set(life, slanders)
  }

  /** Everybody is told the truth again. */
  endSlander(): void {
    this.#slanders.clear()
  }

  #lookLater(life: Life, delayMs: number): void {
    this.#world.after(delayMs, () => {
      if (!life.process.alive) return
      if (!life.process.frozen) this.#look(life)
      this.#lookLater(life, this.#random.between(0.7, 1.3) * this.#options.lookMs)
    })
  }

  #look(life: Life): void {
    for (const other of this.#hosts) {
      if (other === life.host || other.lives === 0) continue
      const row = this.#row(life, other)
      const told = life.rows.get(other.peer)
      if (row === undefined || same(row, told)) continue
      life.rows.set(other.peer, row)
      life.process.command({ type: 'member', member: { peer: other.peer, ...row } })
    }
  }

  #row(life: Life, other: LockHost): Row | undefined {
    const heard = this.#heard.get(life) as Map<PeerId, number>
    const { now } = this.#world
    const told = life.rows.get(other.peer)
    const connected = life.process.connectionsTo(other.peer).length > 0
    if (this.#reaches(life.host, other)) {
      heard.set(other.peer, now)
      const slander = this.#slanders.get(life)?.get(other.peer)
      const status = slander !== undefined && now < slander.until ? slander.status : 'alive'
      return { status, generation: other.generation, connected }
    }
    const heardAt = heard.get(other.peer)
    if (told === undefined || heardAt === undefined) return told
    if (told.status === 'left' || told.status === 'stopping') return { ...told, connected }
    if (!isRunning(other) && other.ending !== 'killed' && other.generation === told.generation) {
      return { ...told, status: other.ending === 'left' ? 'left' : 'stopping', connected }
    }
    const silenceMs = now - heardAt
    if (silenceMs >= this.#options.deadMs) return { ...told, status: 'dead', connected }
    if (silenceMs >= this.#options.suspectMs) return { ...told, status: 'suspect', connected }
    return { ...told, connected }
  }

  /** Directly, or through somebody: membership probes by detours. */
  #reaches(from: LockHost, to: LockHost): boolean {
    if (!isAwake(to)) return false
    if (this.#path(from, to)) return true
    return this.#hosts.some(
      (via) => via !== from && via !== to && isAwake(via) && this.#path(from, via) && this.#path(via, to),
    )
  }

  #path(a: LockHost, b: LockHost): boolean {
    const { index: i } = a.machine
    const { index: j } = b.machine
    return !this.#links.isCut(i, j) && !this.#links.isCut(j, i)
  }
}

function isRunning(host: LockHost): boolean {
  return host.present?.process.alive === true
}

function same(a: Row, b: Row | undefined): boolean {
  return a.status === b?.status && a.generation === b.generation && a.connected === b.connected
}

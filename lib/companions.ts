/** Keeps the members of small groups connected in a cluster too large for a mesh. */
import type { PeerId } from './protocols/core.ts'
import type { MemberView } from './protocols/membership/messages.ts'
import { companionsOf } from './protocols/multicast/companions.ts'

/** Connections wanted for groups, over all of them: a peer in hundreds of groups dials no more. */
const maxCompanions = 32
/** Between two looks at who is there, ms. */
const lookMs = 5000

export interface CompanionsInit {
  readonly self: PeerId
  /** Above so many members not everybody is connected with everybody. */
  readonly meshUpTo: number
  readonly members: () => readonly MemberView[]
  /** Those that this peer is in. */
  readonly groups: () => readonly string[]
  readonly dial: (peer: PeerId, addresses: readonly string[]) => void
}

export class Companions {
  readonly #init: CompanionsInit
  #timer: NodeJS.Timeout | undefined

  constructor(init: CompanionsInit) {
    this.#init = init
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), lookMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Dials whoever is missing; connections last for as long as gossip uses them. */
  look(): void {
    const { self, meshUpTo, members, groups, dial } = this.#init
    const rows = members().filter(({ status }) => status === 'alive')
    if (rows.length <= meshUpTo) return
    const byPeer = new Map(rows.map((row) => [row.peer, row]))
    const wanted = new Set<PeerId>()
    for (const group of groups()) {
      const bearers = rows.filter((row) => row.groups.includes(group)).map(({ peer }) => peer)
      // What most are in has ways enough over the rings.
      if (2 * bearers.length > rows.length) continue
      for (const peer of companionsOf(self, group, bearers)) if (wanted.size < maxCompanions) wanted.add(peer)
    }
    for (const peer of wanted) {
      const row = byPeer.get(peer)
      if (row !== undefined && !row.connected) dial(peer, row.addresses)
    }
  }
}

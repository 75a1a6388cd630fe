/**
 * Joining a group that others are in: stand on what a giver has below its log,
 * copy what its log holds without delivering it, and only then publish: a member
 * names only dots that it can serve or that are stable.
 *
 * The giver's base is causally closed and all of it was delivered there. Where
 * everybody is joining, or nobody else is seen, this peer stands on nothing, which
 * is always closed.
 */
import type { PeerId } from '../core.ts'
import type { CausalOrder } from './causal-order.ts'
import type { MulticastConfig } from './config.ts'
import { entryKey, parseEntryKey } from './dots.ts'
import { toFrontierDots } from './frontier.ts'
import { multicastLimits } from './limits.ts'
import { headerBytes } from './log.ts'
import type { EntryKey, FrontierDot, PacketBody, SignedHeader, VectorEntry } from './messages.ts'
import { pagesOf } from './pages.ts'
import type { Repair } from './repair.ts'

export interface JoiningPort {
  readonly now: () => number
  readonly random: () => number
  readonly send: (to: PeerId, body: PacketBody) => void
  readonly schedule: (at: number) => void
  /** Other members of the group that are not dead and have not left; and those of them with a connection. */
  readonly members: () => readonly PeerId[]
  readonly reachable: () => readonly PeerId[]
  /** No other member of the cluster is there at all. */
  readonly alone: () => boolean
  readonly verify: (header: SignedHeader) => boolean
  /** Counts as delivered from now on. */
  readonly standing: (entries: readonly SignedHeader[]) => void
  readonly ready: () => void
}

type BaselineBody = Extract<PacketBody, { type: 'baseline' }>

/** A baseline as far as its frames have come. */
export interface Baseline {
  readonly entries: SignedHeader[]
  readonly frontier: FrontierDot[]
  readonly delivered: VectorEntry[]
}

interface Offer extends Baseline {
  readonly id: number
  readonly giver: PeerId
  readonly expiresAt: number
}

/** Authors and epochs that a baseline may name. */
const maxEntries = 65_536
/** A frame of a baseline stays well below the link's limit. */
const frameBytes = 512 * 1024
/** Of the frontier's vectors, in all of a baseline. */
const frontierEntries = 16_384
/** Of a vector's entry on the wire, rounded up. */
const entryBytes = 48

export class Joining {
  readonly #order: CausalOrder
  readonly #repair: Repair
  readonly #config: MulticastConfig
  readonly #port: JoiningPort
  /** Asked in vain in this round. */
  readonly #tried = new Set<PeerId>()
  #settledAt: number | undefined
  #offer: Offer | undefined
  #giver: { readonly peer: PeerId; readonly id: number } | undefined
  #ceiling: ReadonlyMap<EntryKey, number> | undefined
  #stuck = false
  #ids = 0

  constructor(order: CausalOrder, repair: Repair, config: MulticastConfig, port: JoiningPort) {
    this.#order = order
    this.#repair = repair
    this.#config = config
    this.#port = port
  }

  /** Who is in the group is known as far as it can be. */
  settled(): void {
    if (this.#settledAt !== undefined) return
    this.#settledAt = this.#port.now()
    this.look()
  }

  /** The members, their connections or the time have changed. */
  look(): void {
    if (this.#order.isOpen || this.#settledAt === undefined) return
    const now = this.#port.now()
    if (this.#ceiling !== undefined && !this.#stuck) {
      if (this.#port.members().length === 0) {
        // What is still to be copied died with the others; what was copied stands without it.
        this.#open()
        return
      }
      this.#wantAll(this.#ceiling, undefined)
      this.#port.schedule(now + this.#config.pullBackoffMaxMs)
      return
    }
    if (this.#offer !== undefined) {
      if (this.#offer.expiresAt > now) {
        // An earlier timer took the place of this one.
        this.#port.schedule(this.#offer.expiresAt)
        return
      }
      this.#tried.add(this.#offer.giver)
      this.#offer = undefined
    }
    const candidates = this.#port.reachable().filter((peer) => !this.#tried.has(peer))
    const giver = candidates[Math.floor(this.#port.random() * candidates.length)]
    if (giver !== undefined) {
      this.#ask(giver, now)
      return
    }
    // Who is known and cannot be reached yet gets a little longer than who is not known.
    const unreached = this.#port.members().some((peer) => !this.#tried.has(peer))
    const { foundAfterMs, baselineTimeoutMs } = this.#config
    const waitMs = unreached
      ? baselineTimeoutMs
      : this.#tried.size > 0 || this.#port.alone()
        ? 0
        : foundAfterMs
    const at = this.#settledAt + waitMs
    if (at > now) this.#port.schedule(at)
    else this.#open()
  }

  /** What is still to be copied is below everybody's log: stand on what somebody has now. */
  again(): void {
    if (this.#ceiling === undefined || this.#offer !== undefined) return
    this.#stuck = true
    this.#tried.clear()
    this.look()
  }

  /** Nobody has what is still to be copied, not even its giver: stand on what another has. */
  unknown(): void {
    if (this.#ceiling === undefined || this.#offer !== undefined) return
    this.#stuck = true
    this.#tried.clear()
    if (this.#giver !== undefined) this.#tried.add(this.#giver.peer)
    this.look()
  }

  lost(peer: PeerId): void {
    if (this.#offer?.giver !== peer) return
    this.#offer = undefined
    this.#tried.add(peer)
    this.look()
  }

  /** A frame of what was asked for; false when it breaks the rules. */
  baseline(from: PeerId, body: BaselineBody): boolean {
    const offer = this.#offer
    if (offer === undefined || offer.giver !== from || offer.id !== body.id) return true
    if (body.none) {
      this.#offer = undefined
      this.#tried.add(from)
      this.look()
      return true
    }
    if (!addFrame(offer, body) || !body.entries.every(this.#port.verify)) {
      this.#offer = undefined
      this.#tried.add(from)
      this.look()
      return false
    }
    if (body.last) this.#stand(offer)
    return true
  }

  /** Something was copied, or the time has come to look. */
  progress(): void {
    const ceiling = this.#ceiling
    if (ceiling === undefined || this.#order.isOpen) return
    for (const [entry, seq] of ceiling) {
      // What an outcast wrote is copied where others name it, and not waited for.
      if (this.#order.forks.isOutcast(parseEntryKey(entry).author)) continue
      if (this.#order.delivered.seq(entry) < seq) return
    }
    const giver = this.#giver
    if (giver !== undefined)
      this.#port.send(giver.peer, { type: 'baseline-request', id: giver.id, done: true })
    this.#open()
  }

  #ask(giver: PeerId, now: number): void {
    this.#ids += 1
    const expiresAt = now + this.#config.baselineTimeoutMs
    this.#offer = { id: this.#ids, giver, expiresAt, entries: [], frontier: [], delivered: [] }
    this.#port.send(giver, { type: 'baseline-request', id: this.#ids, done: false })
    this.#port.schedule(expiresAt)
  }

  #stand(offer: Offer): void {
    this.#offer = undefined
    this.#giver = { peer: offer.giver, id: offer.id }
    // In place of an earlier one: what was copied beyond it is in the own log.
    const ceiling = new Map<EntryKey, number>()
    for (const { author, epoch, seq } of offer.delivered) ceiling.set(entryKey(author, epoch), seq)
    this.#ceiling = ceiling
    this.#stuck = false
    this.#order.close(ceiling)
    // On the disk before what is copied on top of it.
    this.#port.standing(offer.entries)
    this.#order.adopt(offer.entries, offer.frontier, this.#port.now())
    this.#wantAll(ceiling, offer.giver)
    this.#port.schedule(this.#port.now() + this.#config.pullBackoffMaxMs)
    this.progress()
  }

  /** Repair forgets what nobody tells of again, and nobody tells a joiner. */
  #wantAll(ceiling: ReadonlyMap<EntryKey, number>, giver: PeerId | undefined): void {
    for (const [entry, seq] of ceiling) {
      this.#repair.want({ ...parseEntryKey(entry), seq }, giver, { soon: giver !== undefined })
    }
  }

  #open(): void {
    this.#ceiling = undefined
    this.#offer = undefined
    this.#order.open()
    this.#port.ready()
    // Only now: what is delivered from here on comes after `ready`.
    this.#order.review(this.#port.now())
  }
}

/** False when there is too much of it, or with the last frame it does not fit together. */
export function addFrame(baseline: Baseline, { entries, frontier, delivered, last }: BaselineBody): boolean {
  baseline.entries.push(...entries)
  baseline.frontier.push(...frontier)
  baseline.delivered.push(...delivered)
  const lists = [baseline.entries, baseline.delivered, baseline.frontier]
  return lists.every(({ length }) => length <= maxEntries) && (!last || isWhole(baseline))
}

/** One header a log, each frontier dot has its header, and nothing delivered lies below the base. */
function isWhole({ entries, frontier, delivered }: Baseline): boolean {
  const last = new Map(entries.map((header) => [header.entry, header.last]))
  const has = new Map(delivered.map(({ author, epoch, seq }) => [entryKey(author, epoch), seq]))
  return (
    last.size === entries.length &&
    frontier.every(({ author, epoch, seq }) => last.get(entryKey(author, epoch)) === seq) &&
    entries.every((header) => (has.get(header.entry) ?? 0) >= header.last)
  )
}

/** What a member answers that is joining itself. */
export function noBaseline(id: number): BaselineBody {
  return { type: 'baseline', id, none: true, entries: [], frontier: [], delivered: [], last: true }
}

/** What a giver answers: its base, in frames. */
export function baselineFrames(order: CausalOrder, id: number): BaselineBody[] {
  const { baselineHeaders, vectorEntries } = multicastLimits
  const delivered = [...order.delivered.values()].map((header) => ({
    author: header.authorKey,
    epoch: header.header.epoch,
    seq: header.last,
    hash: '',
  }))
  const entries = [...order.log.base.values()]
  const frontier = toFrontierDots(order.log.baseFrontier.values(), frontierEntries)
  const empty: BaselineBody = {
    type: 'baseline',
    id,
    none: false,
    entries: [],
    delivered: [],
    frontier: [],
    last: false,
  }
  const bytes = frameBytes
  const headers = pagesOf(entries, { count: baselineHeaders, bytes }, headerBytes)
  const vector = pagesOf(delivered, { count: vectorEntries, bytes }, () => entryBytes)
  const maximal = pagesOf(
    frontier,
    { count: vectorEntries, bytes },
    ({ below }) => (below.length + 1) * entryBytes,
  )
  return [
    ...headers.map((page) => ({ ...empty, entries: page })),
    ...vector.map((page) => ({ ...empty, delivered: page })),
    ...maximal.map((page, at) => ({ ...empty, frontier: page, last: at === maximal.length - 1 })),
  ]
}

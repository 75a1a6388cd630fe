/**
 * Falling behind what anybody can serve: stand on what a member has below its
 * log, report what is lost, and go on from there.
 */
import type { PeerId } from '../core.ts'
import type { CausalOrder } from './causal-order.ts'
import { entryKey } from './dots.ts'
import type { GroupContext } from './group-context.ts'
import type { GroupDisk } from './group-disk.ts'
import { addFrame, type Baseline } from './joining.ts'
import type { DotKey, PacketBody, SignedHeader } from './messages.ts'

interface Request extends Baseline {
  readonly server: PeerId
  readonly id: number
  /** Only a base that holds this dot is of any use. */
  readonly needs: DotKey | undefined
  readonly until: number
}

export class CatchingUp {
  readonly #group: GroupContext
  readonly #order: CausalOrder
  readonly #disk: GroupDisk
  readonly #adopted: () => void
  #request: Request | undefined

  constructor(group: GroupContext, order: CausalOrder, disk: GroupDisk, adopted: () => void) {
    this.#group = group
    this.#order = order
    this.#disk = disk
    this.#adopted = adopted
  }

  /** Nobody can serve what comes next here, and `server` has it below its log. */
  begin(server: PeerId, needs?: DotKey): void {
    const { now, init } = this.#group
    if (this.#request !== undefined && this.#request.until > now) return
    const id = Math.floor(this.#group.random() * 2 ** 32) + 1
    const until = now + init.config.baselineTimeoutMs
    this.#request = { server, id, needs, until, entries: [], frontier: [], delivered: [] }
    this.#group.send(server, { type: 'baseline-request', id, done: false })
  }

  /**
   * What waits for this header cannot be checked any more. Whoever has delivered
   * it has it below its log by now, or could serve the header: stand on that.
   */
  withoutHeader(dot: DotKey): void {
    const [needs] = this.#order.waitingForHeader(dot)
    const server = this.#group.pick(this.#group.reachable())
    if (needs !== undefined && server !== undefined) this.begin(server, needs)
  }

  asks(server: PeerId): boolean {
    return this.#request?.server === server
  }

  /** A frame of what was asked for; false when it breaks the rules. */
  baseline(body: Extract<PacketBody, { type: 'baseline' }>): boolean {
    const request = this.#request
    if (request === undefined || request.id !== body.id) return true
    const sound = body.entries.every((header) => this.#group.isSound(header))
    if (body.none || !sound || !addFrame(request, body)) {
      this.#request = undefined
      return body.none
    }
    if (!body.last) return true
    this.#request = undefined
    this.#group.send(request.server, { type: 'baseline-request', id: request.id, done: true })
    this.#stand(request)
    return true
  }

  #stand({ entries, frontier, needs }: Request): void {
    const { delivered } = this.#order
    if (needs !== undefined && !entries.some((header) => holds(header, needs))) return
    const lost = entries.filter((header) => header.last > delivered.seq(header.entry))
    if (lost.length === 0) return
    const ranges = lost.map(({ header, entry, last }) => ({
      author: header.author,
      epoch: header.epoch,
      from: delivered.seq(entry) + 1,
      to: last,
    }))
    // On the disk before what is delivered on top of it.
    this.#disk.writeStanding(this.#order, lost)
    this.#group.turn.emit({ type: 'history-truncated', name: this.#group.name, ranges })
    this.#order.adopt(entries, frontier, this.#group.now)
    this.#disk.writeState(this.#order, true)
    this.#adopted()
  }
}

function holds(header: SignedHeader, { author, epoch, seq }: DotKey): boolean {
  return header.entry === entryKey(author, epoch) && header.last >= seq
}

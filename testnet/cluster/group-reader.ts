/**
 * Reads one group at one daemon, for one life of it: each delivery and notice of
 * its stream, from the start of its log, goes into the record.
 */
import type { ControlClient, GroupStreamEvent } from '../../daemon/client/client.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Recorder } from './recorder.ts'

export interface ReaderOptions {
  readonly peer: string
  readonly life: number
  /** Its membership generation. */
  readonly epoch: number
  readonly group: string
  readonly client: ControlClient
  readonly recorder: Recorder
  readonly onDelivery: (delivery: Delivery) => void
}

export type Message = Extract<GroupStreamEvent, { type: 'message' }>['message']
type Notice = Extract<GroupStreamEvent, { type: 'notice' }>['notice']

/** A message, when it was seen, and at whom. */
export interface Delivery extends Message {
  readonly at: number
  readonly reader: GroupReader
}

/** Messages that a daemon knew to be missing, and when it had them. */
export interface Gap {
  readonly at: number
  readonly ranges: readonly { sender: string; epoch: number; from: number; to: number }[]
  closedAt: number | undefined
}

/** A daemon says for how long it fetches what came before; this is longer, ms. */
const enterWithinMs = 45_000
const pollMs = 50

export class GroupReader {
  readonly peer: string
  readonly life: number
  readonly epoch: number
  readonly group: string
  readonly openedAt: number
  readonly deliveries: Delivery[] = []
  readonly gaps: Gap[] = []
  /** What ended the stream although the daemon runs. */
  failure: unknown
  readonly #client: ControlClient
  readonly #recorder: Recorder
  readonly #onDelivery: (delivery: Delivery) => void
  readonly #stop = new AbortController()
  readonly #firstSeen = new Map<string, number>()
  readonly #upTo = new Map<string, number>()
  #clock: Readonly<Record<string, number>> = {}
  #entered = false

  private constructor(options: ReaderOptions) {
    this.peer = options.peer
    this.life = options.life
    this.epoch = options.epoch
    this.group = options.group
    this.openedAt = options.recorder.now()
    this.#client = options.client
    this.#recorder = options.recorder
    this.#onDelivery = options.onDelivery
  }

  /** Begins to read, which makes the daemon join the group. */
  static open(options: ReaderOptions): GroupReader {
    const reader = new GroupReader(options)
    const { peer, life, group, recorder } = options
    recorder.recordLater(() => ({
      ...{ at: reader.openedAt, type: 'entered', peer, life, group },
      baseline: recorder.nameVector(Object.fromEntries(reader.baseline())),
    }))
    void reader.#read().catch((error: unknown) => {
      if (!reader.#stop.signal.aborted) reader.failure = error
    })
    return reader
  }

  /** Nothing is read any more: its process ends. */
  close(): void {
    this.#stop.abort()
  }

  /** The daemon is in the group, and all that it had delivered by then is read. */
  get entered(): boolean {
    return this.#entered
  }

  /**
   * Waits until the daemon is in the group, asks it what it has delivered, and
   * reads on until that is read. Throws ERR_TESTNET when that takes too long.
   */
  async enter(): Promise<void> {
    const { signal } = this.#stop
    const deadline = this.#recorder.now() + enterWithinMs
    let awaited: number | undefined
    while (awaited === undefined || this.deliveries.length < awaited) {
      if (signal.aborted) return
      if (this.failure !== undefined) throw this.failure
      if (this.#recorder.now() > deadline) {
        const seen = `${this.deliveries.length} of ${awaited ?? 'unknown'} deliveries read`
        throw new P2pdError(
          'ERR_TESTNET',
          `${this.peer} is not in ${this.group} after ${enterWithinMs} ms: ${seen}`,
        )
      }
      awaited ??= await this.#askState().catch((error: unknown) => {
        if (signal.aborted) return undefined
        throw error
      })
      await this.#recorder.changed(pollMs)
    }
    this.#entered = true
  }

  /**
   * What the daemon had when it entered, as far as it can be known from outside:
   * what its clock counts and its stream never delivered, the stream being read
   * from the start of its log. That proves no more than that the daemon claims
   * it. Of one that returned, the checkers see that it claims nothing that was
   * published after it was killed; what it delivered in its last moments, unread,
   * cannot be told from what it never had.
   */
  baseline(): ReadonlyMap<string, number> {
    const baseline = new Map<string, number>()
    for (const [entry, count] of Object.entries(this.#clock)) {
      const before = Math.min(count, (this.#firstSeen.get(entry) ?? Number.POSITIVE_INFINITY) - 1)
      if (before > 0) baseline.set(entry, before)
    }
    return baseline
  }

  /** Of each `peerId#epoch` the last message that it has, or knows to be lost. */
  upTo(): ReadonlyMap<string, number> {
    return new Map([...this.baseline(), ...this.#upTo])
  }

  async #askState(): Promise<number | undefined> {
    const { signal } = this.#stop
    if (!(await this.#row())?.ready) return undefined
    const { vector } = await this.#client.clock({ group: this.group }, { signal })
    this.#clock = vector
    return (await this.#row())?.delivered
  }

  async #row() {
    const { groups } = await this.#client.groups({ signal: this.#stop.signal })
    return groups.find(({ name, joined }) => name === this.group && joined)
  }

  async #read(): Promise<void> {
    const { signal } = this.#stop
    let from = 'earliest'
    while (!signal.aborted) {
      try {
        for await (const event of this.#client.messages(this.group, { from }, { signal })) {
          if (signal.aborted) return
          if (event.type === 'notice') this.#notice(event.notice)
          else {
            from = event.message.cursor
            this.#deliver(event.message)
          }
        }
      } catch (error) {
        // A lost stream is resumed where it ended; that the daemon itself ended is told by its process.
        const lost =
          error instanceof P2pdError &&
          (error.code === 'ERR_CONNECTION_LOST' || error.code === 'ERR_DAEMON_NOT_RUNNING')
        if (!lost) throw error
      }
      await this.#recorder.changed(pollMs)
    }
  }

  #deliver(message: Message): void {
    const { peer, life, group } = this
    const at = this.#recorder.now()
    const { sender, epoch, seq, lamport, index, vector, vectorExact, data: content } = message
    const entry = `${sender}#${epoch}`
    if (!this.#firstSeen.has(entry)) this.#firstSeen.set(entry, seq)
    this.#raise(entry, seq)
    this.#recorder.recordLater(() => ({
      ...{ at, type: 'delivered', peer, life, group, content, lamport, index, epoch, seq },
      sender: this.#recorder.nameOf(sender),
      ...(vector === undefined ? {} : { vector: this.#recorder.nameVector(vector) }),
      ...(vectorExact === undefined ? {} : { vectorExact }),
    }))
    const delivery = { ...message, at, reader: this }
    this.deliveries.push(delivery)
    this.#closeGaps(at)
    this.#onDelivery(delivery)
  }

  #notice(notice: Notice): void {
    const { peer, life, group } = this
    const at = this.#recorder.now()
    const base = { at, peer, life, group }
    switch (notice.event) {
      case 'gap':
        this.gaps.push({ at, ranges: notice.ranges, closedAt: undefined })
        this.#closeGaps(at)
        return
      case 'history-truncated':
        for (const { sender, epoch, to } of notice.ranges) this.#raise(`${sender}#${epoch}`, to)
        this.#closeGaps(at)
        return this.#recorder.recordLater(() => ({
          ...base,
          type: 'truncated',
          ranges: notice.ranges.map((range) => ({ ...range, sender: this.#recorder.nameOf(range.sender) })),
        }))
      case 'equivocation': {
        const { sender, epoch, seq, hashes } = notice
        return this.#recorder.recordLater(() => ({
          ...base,
          type: 'equivocation',
          ...{ sender: this.#recorder.nameOf(sender), epoch, seq, hashes },
        }))
      }
      case 'undeliverable':
        // Not lost: it is delivered once what it depends on comes, and agreement asks for it.
        return
      default:
        notice satisfies never
    }
  }

  #raise(entry: string, count: number): void {
    this.#upTo.set(entry, Math.max(count, this.#upTo.get(entry) ?? 0))
  }

  #closeGaps(at: number): void {
    const open = this.gaps.filter(({ closedAt }) => closedAt === undefined)
    if (open.length === 0) return
    const has = this.upTo()
    for (const gap of open) {
      const closed = gap.ranges.every(({ sender, epoch, to }) => (has.get(`${sender}#${epoch}`) ?? 0) >= to)
      if (closed) gap.closedAt = at
    }
  }
}

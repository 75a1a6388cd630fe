import type {
  ClockReading,
  Fork,
  Group,
  GroupItem,
  GroupMessage,
  Groups,
  GroupView,
  Published,
  ReadOptions,
  TraceEvent,
} from '../../../lib/group.ts'
import { assertGroupName, everybodyIsIn, throwNotIn } from '../../../lib/group-errors.ts'
import type { PeerId } from '../../../lib/index.ts'
import { P2pdError } from '../../../lib/wire/errors.ts'

export const author = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp' as PeerId

/** Groups of one peer in memory: what is published is delivered at once, and cursors are `c` and an index. */
export class FakeGroups implements Groups {
  readonly logs = new Map<string, FakeGroup>()
  proofs: Fork[] = []
  events: TraceEvent[] = []
  /** While it is set, no group is joined. */
  stuck = false

  constructor() {
    this.logs.set('all', new FakeGroup('all', this.logs))
  }

  async group(name: string, { signal }: { signal?: AbortSignal } = {}): Promise<FakeGroup> {
    assertGroupName(name)
    if (this.stuck) await aborted(signal)
    const group = this.logs.get(name) ?? new FakeGroup(name, this.logs)
    this.logs.set(name, group)
    return group
  }

  groups(): readonly GroupView[] {
    return [...this.logs.values()].map(({ name, log }) => ({
      name,
      joined: true,
      ready: true,
      members: [author],
      delivered: log.length,
      heldBack: 1,
      logMessages: log.length,
      logBytes: 10 * log.length,
    }))
  }

  forks(): readonly Fork[] {
    return this.proofs
  }

  clock(group = 'all'): ClockReading {
    if (!this.logs.has(group)) throwNotIn(group)
    return {
      lamport: 12,
      vector: { [`${author}#7`]: 3 },
      hlc: '1700000000000.00001',
      network: {
        state: 'unsynchronised',
        scope: 'internal',
        timeline: null,
        faultsTolerated: null,
        earliestMs: null,
        latestMs: null,
        offsetMs: null,
        uncertaintyMs: null,
        peers: 0,
      },
    }
  }

  trace(group = 'all'): readonly TraceEvent[] {
    return this.events.filter((event) => event.group === group)
  }
}

export class FakeGroup implements Group {
  readonly name: string
  readonly log: GroupItem[] = []
  /** Index of the first message that the log still holds. */
  floor = 1
  /** While it is set, nothing is published. */
  stuck = false
  /** Items that readers have taken. */
  taken = 0
  readonly #all: Map<string, FakeGroup>
  readonly #wakers = new Set<() => void>()
  #index = 0
  #left = false

  constructor(name: string, all: Map<string, FakeGroup>) {
    this.name = name
    this.#all = all
  }

  async publish(data: Uint8Array | string, { signal }: { signal?: AbortSignal } = {}): Promise<Published> {
    if (this.stuck) await aborted(signal)
    return this.deliver(typeof data === 'string' ? Buffer.from(data) : data)
  }

  deliver(data: Uint8Array, changes: Partial<GroupMessage> = {}): Published {
    const index = ++this.#index
    const dot = { group: this.name, sender: author, epoch: 7, seq: index, lamport: index + 10 }
    const vector = { [`${author}#7`]: index }
    const [hlc, cursor] = [`170000000000${index % 10}.00000`, `c${index}`]
    this.add({ type: 'message', ...dot, vector, hlc, index, cursor, data, ...changes })
    return { ...dot, vector }
  }

  add(item: GroupItem): void {
    this.log.push(item)
    for (const wake of this.#wakers) wake()
  }

  async *messages(options: ReadOptions = {}): AsyncGenerator<GroupMessage, void, undefined> {
    for await (const item of this.items(options)) if (item.type === 'message') yield item
  }

  async *items(options: ReadOptions = {}): AsyncGenerator<GroupItem, void, undefined> {
    const { from = 'latest', vector: wantsVector = true, signal } = options
    for (let at = this.#start(from); ; at++) {
      while (at >= this.log.length && !this.#left && !signal?.aborted) await this.#more(signal)
      const item = this.log[at]
      if (item === undefined || signal?.aborted) return
      this.taken += 1
      if (item.type !== 'message' || wantsVector) yield item
      else {
        const { vector, ...rest } = item
        yield rest
      }
    }
  }

  async leave(): Promise<void> {
    if (this.name === 'all') throw everybodyIsIn(this.name)
    this.#all.delete(this.name)
    this.#left = true
    for (const wake of this.#wakers) wake()
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #start(from: string): number {
    if (from === 'latest') return this.log.length
    if (from === 'earliest') return 0
    const [, digits] = /^c(\d+)$/.exec(from) ?? []
    if (digits === undefined) throw new P2pdError('ERR_BAD_CURSOR', 'no cursor')
    const after = Number(digits)
    if (after + 1 < this.floor || after > this.#index) {
      throw new P2pdError('ERR_CURSOR_UNKNOWN', 'the log has moved on', { hint: 'begin at earliest' })
    }
    return this.log.findIndex((item) => item.type === 'message' && item.index === after) + 1
  }

  #more(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wakers.delete(wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      this.#wakers.add(wake)
      signal?.addEventListener('abort', wake, { once: true })
    })
  }
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

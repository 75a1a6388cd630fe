/**
 * Writes down what is done to the cluster and what each daemon then shows, on
 * one monotonic clock, as the checkers want it.
 *
 * Each daemon is read through the event stream of its control API, from its
 * `ready` to its end. Rows name peers by id; which id is whose is known only
 * once that daemon is ready, so names are put in when the history is read.
 */
import type { ControlClient, MemberStreamEvent } from '../../daemon/client/client.ts'
import type { HistoryEvent, ViewEvent } from '../checkers/history.ts'
import type { GroupHistory, MulticastEvent } from '../checkers/multicast-history.ts'
import { machineMs } from './monotonic.ts'

export type Row = Extract<MemberStreamEvent, { type: 'member' }>['member']

/** Without `at`, which the recorder puts in. */
export type Deed =
  Exclude<HistoryEvent, ViewEvent> extends infer Event
    ? Event extends { readonly at: number }
      ? Omit<Event, 'at'>
      : never
    : never

/** What is known only once the history is read; stands where it happened. */
type Later = () => MulticastEvent

interface Observer {
  readonly rows: Map<string, Row>
  readonly stop: AbortController
}

export class Recorder {
  readonly #startedAt = machineMs()
  readonly #events: (HistoryEvent | Later)[] = []
  readonly #names = new Map<string, string>()
  readonly #observers = new Map<string, Observer>()
  readonly #waiters = new Set<() => void>()

  /** Milliseconds since recording began. */
  now(): number {
    return machineMs() - this.#startedAt
  }

  /** What `machineMs` gave to another process, in the recorder's time. */
  fromMachine(ms: number): number {
    return ms - this.#startedAt
  }

  /** Records what is about to be done, or was just seen to happen. */
  record(deed: Deed): void {
    this.#events.push({ at: this.now(), ...deed })
    this.wake()
  }

  /** The same for what will be known in full only when the history is read; names of peers included. */
  recordLater(event: Later): void {
    this.#events.push(event)
    this.wake()
  }

  /** From now on rows about this peer id are about `name`. */
  introduce(peerId: string, name: string): void {
    this.#names.set(peerId, name)
  }

  /** Reads the member events of a daemon until `unfollow`; resolves with its first snapshot. */
  async follow(name: string, client: ControlClient): Promise<void> {
    this.unfollow(name)
    const observer: Observer = { rows: new Map(), stop: new AbortController() }
    this.#observers.set(name, observer)
    await new Promise<void>((resolve, reject) => {
      this.#read(name, client, observer, resolve).catch(reject)
    })
  }

  /** Its process ends: what it showed is void. */
  unfollow(name: string): void {
    this.#observers.get(name)?.stop.abort()
    this.#observers.delete(name)
  }

  /** Who is read now. */
  following(): readonly string[] {
    return [...this.#observers.keys()]
  }

  /** `observer`'s row for the peer of that id or name. */
  row(observer: string, subject: string): Row | undefined {
    const rows = this.#observers.get(observer)?.rows
    if (rows === undefined) return undefined
    const direct = rows.get(subject)
    if (direct !== undefined) return direct
    return [...rows.values()].find(({ peerId }) => this.nameOf(peerId) === subject)
  }

  rows(observer: string): readonly Row[] {
    return [...(this.#observers.get(observer)?.rows.values() ?? [])]
  }

  nameOf(peerId: string): string {
    return this.#names.get(peerId) ?? peerId
  }

  /** Peer ids and what they are called here. */
  names(): ReadonlyMap<string, string> {
    return this.#names
  }

  /** A vector clock with the names of peers in its `peerId#epoch`. */
  nameVector(vector: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
    const named = Object.entries(vector).map(([entry, count]) => {
      const hash = entry.lastIndexOf('#')
      return [`${this.nameOf(entry.slice(0, hash))}${entry.slice(hash)}`, count] as const
    })
    return Object.fromEntries(named)
  }

  /** What membership is judged by. */
  history(): readonly HistoryEvent[] {
    return this.#events.flatMap((event) => (typeof event === 'function' ? [] : [this.#named(event)]))
  }

  /** That, and what was said in groups. */
  groupHistory(): GroupHistory {
    return this.#events.map((event) => (typeof event === 'function' ? event() : this.#named(event)))
  }

  /** Something has been recorded here or elsewhere: whoever waits looks again. */
  wake(): void {
    for (const waiter of [...this.#waiters]) waiter()
  }

  /** Resolves at the next event, or after `ms`. */
  async changed(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        this.#waiters.delete(done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.#waiters.add(done)
    })
  }

  close(): void {
    for (const name of this.following()) this.unfollow(name)
  }

  async #read(name: string, client: ControlClient, observer: Observer, onFirst: () => void): Promise<void> {
    const { signal } = observer.stop
    let opened = false
    while (!signal.aborted) {
      try {
        for await (const event of client.memberEvents({ signal })) {
          if (signal.aborted) return
          if (event.type === 'member') this.#see(name, observer, event.member)
          else if (event.type === 'snapshot')
            for (const row of event.snapshot.members) this.#see(name, observer, row)
          opened = true
          onFirst()
        }
      } catch (error) {
        if (signal.aborted) return
        if (!opened) throw error
      }
      // The daemon ended the stream, or ends itself: the latter is told by its process, soon.
      await this.changed(100)
    }
  }

  #see(name: string, observer: Observer, row: Row): void {
    const before = observer.rows.get(row.peerId)
    observer.rows.set(row.peerId, row)
    const { status, generation, incarnation } = row
    const stalled = row.detail === 'stalled'
    const same =
      before?.status === status &&
      (before.detail === 'stalled') === stalled &&
      before.generation === generation &&
      before.incarnation === incarnation
    if (!same) {
      this.#events.push({
        at: this.now(),
        type: 'view',
        observer: name,
        subject: row.peerId,
        status,
        generation,
        incarnation,
        ...(stalled ? { stalled } : {}),
      })
    }
    this.wake()
  }

  #named(event: HistoryEvent): HistoryEvent {
    return event.type === 'view' ? { ...event, subject: this.nameOf(event.subject) } : event
  }
}

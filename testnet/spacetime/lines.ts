/**
 * The events of one group as lines: one line a life of a host, its events in the
 * order in which they happened there. A message of which only deliveries are
 * known gets a publication of its own, where its author's line must have it.
 */
import { type DotName, formatDot, parseDot, TraceError, type TraceEvent } from './trace-event.ts'

export interface LineEvent {
  readonly line: number
  readonly kind: 'publish' | 'deliver'
  readonly message: DotName
  readonly dot: string
  /** Of a publication that no trace holds: the time of the first delivery. */
  readonly time: number
  readonly synthesised: boolean
  /** Dots. */
  readonly after: readonly string[]
}

export interface Line {
  readonly host: string
  readonly epoch: number
  readonly events: LineEvent[]
}

interface Draft {
  readonly index: number
  readonly host: string
  readonly epoch: number
  readonly recorded: TraceEvent[]
  readonly missing: Missing[]
}

interface Missing extends DotName {
  readonly dot: string
  readonly time: number
  after: readonly string[]
}

/** Lines in the order of their first mention; throws TraceError when one index has two events. */
export function readLines(events: readonly TraceEvent[]): readonly Line[] {
  const drafts = new Drafts()
  const published = new Set<string>()
  for (const event of events) {
    drafts.of(event.host, event.hostEpoch).recorded.push(event)
    if (isPublication(event)) published.add(formatDot(event))
  }
  const missing = new Map<string, Missing>()
  const miss = (dot: string, message: DotName, time: number, after: readonly string[]): void => {
    if (published.has(dot)) return
    const known = missing.get(dot)
    if (known !== undefined) {
      if (known.after.length === 0) known.after = after
      return
    }
    const { sender, epoch, seq } = message
    const draft: Missing = { sender, epoch, seq, dot, time, after }
    missing.set(dot, draft)
    drafts.of(sender, epoch).missing.push(draft)
  }
  for (const event of events) {
    if (event.kind === 'deliver') miss(formatDot(event), event, event.time, event.after)
    for (const dot of event.after) {
      const message = parseDot(dot)
      if (message !== undefined) miss(dot, message, event.time, [])
    }
  }
  return drafts.all().map(finish)
}

/** Anything else that says `publish` is not that of its author, and proves nothing. */
function isPublication({ kind, host, hostEpoch, sender, epoch }: TraceEvent): boolean {
  return kind === 'publish' && host === sender && hostEpoch === epoch
}

class Drafts {
  readonly #drafts = new Map<string, Draft>()

  of(host: string, epoch: number): Draft {
    const key = `${host}#${epoch}`
    const draft = this.#drafts.get(key) ?? {
      index: this.#drafts.size,
      host,
      epoch,
      recorded: [],
      missing: [],
    }
    this.#drafts.set(key, draft)
    return draft
  }

  all(): readonly Draft[] {
    return [...this.#drafts.values()]
  }
}

function finish({ index, host, epoch, recorded, missing }: Draft): Line {
  const inOrder = unique([...recorded].sort((a, b) => a.index - b.index))
  const seqs = inOrder.filter(isPublication).map(({ seq }) => seq)
  const first = seqs[0]
  // A trace has no holes: what it lacks lies before it or after it.
  const before = ({ seq }: Missing): boolean =>
    first === undefined ? (inOrder[0]?.index ?? 1) > 1 : seq < first
  const bySeq = [...missing].sort((a, b) => a.seq - b.seq)
  const real = inOrder.map((event): LineEvent => {
    const { kind, time, after } = event
    return { line: index, kind, message: event, dot: formatDot(event), time, synthesised: false, after }
  })
  const synthesise = ({ sender, epoch: life, seq, dot, time, after }: Missing): LineEvent => {
    const message = { sender, epoch: life, seq }
    return { line: index, kind: 'publish', message, dot, time, synthesised: true, after }
  }
  const events = [
    ...bySeq.filter(before).map(synthesise),
    ...real,
    ...bySeq.filter((item) => !before(item)).map(synthesise),
  ]
  return { host, epoch, events }
}

/** The same event may come twice, with two traces of one host. */
function unique(events: readonly TraceEvent[]): readonly TraceEvent[] {
  return events.filter((event, place) => {
    const before = events[place - 1]
    if (before?.index !== event.index) return true
    if (before.kind === event.kind && formatDot(before) === formatDot(event)) return false
    throw new TraceError(`${event.host} has two events ${event.index} in life ${event.hostEpoch}`)
  })
}

/** One event of a peer's space-time line, and how a file of them is read: one JSON object a line. */

export interface TraceEvent {
  readonly group: string
  readonly host: string
  /** 1, 2, 3 … a host, life and group; the first ones may be missing. */
  readonly index: number
  /** The host's life. */
  readonly hostEpoch: number
  readonly kind: 'publish' | 'deliver'
  readonly sender: string
  readonly epoch: number
  readonly seq: number
  /** Unix milliseconds, for people. */
  readonly time: number
  /** What the message directly depends on, each as `sender#epoch:seq`. */
  readonly after: readonly string[]
}

export interface DotName {
  readonly sender: string
  readonly epoch: number
  readonly seq: number
}

export const traceLimits = { lines: 200_000, textChars: 256, after: 1024 } as const

/** A trace that cannot be read, or whose events contradict each other. */
export class TraceError extends Error {
  /** From 1; undefined where no single line is to blame. */
  readonly line: number | undefined

  constructor(problem: string, line?: number) {
    super(line === undefined ? problem : `line ${line} ${problem}`)
    this.name = 'TraceError'
    this.line = line
  }
}

/** Traces of several hosts may follow each other. Empty lines are skipped, unknown fields ignored. Throws TraceError. */
export function parseTraceLines(text: string): readonly TraceEvent[] {
  const events: TraceEvent[] = []
  let line = 0
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    if (++line > traceLimits.lines)
      throw new TraceError(`is one too many: at most ${traceLimits.lines}`, line)
    const content = text.slice(start, end).trim()
    if (content !== '') events.push(readEvent(content, line))
    start = end + 1
  }
  return events
}

/** `sender#epoch:seq`. Undefined where it is none. */
export function parseDot(text: string): DotName | undefined {
  const [, sender, epoch, seq] = /^([^#\s]{1,256})#(\d{1,16}):(\d{1,16})$/.exec(text) ?? []
  if (sender === undefined) return undefined
  const dot = { sender, epoch: Number(epoch), seq: Number(seq) }
  return Number.isSafeInteger(dot.epoch) && Number.isSafeInteger(dot.seq) && dot.seq > 0 ? dot : undefined
}

export function formatDot({ sender, epoch, seq }: DotName): string {
  return `${sender}#${epoch}:${seq}`
}

function readEvent(content: string, line: number): TraceEvent {
  const value = parseJson(content, line)
  const field = (name: string): unknown => Reflect.get(value, name)
  const text = (name: string): string => {
    const found = field(name)
    const fits = typeof found === 'string' && found.length > 0 && found.length <= traceLimits.textChars
    if (fits && !/\s/.test(found)) return found
    throw new TraceError(
      `has no '${name}' of 1 to ${traceLimits.textChars} characters without white space`,
      line,
    )
  }
  const whole = (name: string, min: number): number => {
    const found = field(name)
    if (typeof found === 'number' && Number.isSafeInteger(found) && found >= min) return found
    throw new TraceError(`has no whole number '${name}' from ${min}`, line)
  }
  const kind = field('kind')
  if (kind !== 'publish' && kind !== 'deliver') {
    throw new TraceError("has no 'kind' that is publish or deliver", line)
  }
  return {
    group: text('group'),
    host: text('host'),
    index: whole('index', 1),
    hostEpoch: whole('hostEpoch', 0),
    kind,
    sender: text('sender'),
    epoch: whole('epoch', 0),
    seq: whole('seq', 1),
    time: readTime(field('time'), line),
    after: readAfter(field('after'), line),
  }
}

function readTime(value: unknown, line: number): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new TraceError("has no number 'time'", line)
}

function readAfter(value: unknown, line: number): readonly string[] {
  const isDot = (item: unknown): item is string => typeof item === 'string' && parseDot(item) !== undefined
  if (Array.isArray(value) && value.length <= traceLimits.after && value.every(isDot)) return value
  throw new TraceError(`has no list 'after' of at most ${traceLimits.after} dots sender#epoch:seq`, line)
}

function parseJson(content: string, line: number): object {
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch {
    throw new TraceError('is not JSON', line)
  }
  if (typeof value === 'object' && value !== null) return value
  throw new TraceError('is no object', line)
}

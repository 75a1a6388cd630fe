/** A question, its figure and its bar; one line each, for people and for programs. */

/** The object of one line of `--json`. */
export interface Figure {
  readonly bench: string
  readonly question: string
  readonly unit: Unit
  /** Median of the runs; null where this machine does not let it be measured. */
  readonly ours: number | null
  readonly worst: number | null
  readonly rival: string | null
  /** The rival's median on this machine in this run; null where it is not installed. */
  readonly theirs: number | null
  readonly limit: number | null
  /** The bar in words; null when the figure is only reported. */
  readonly bar: string | null
  readonly met: boolean | null
  readonly runs: number
}

export type Unit =
  | 'ms'
  | 'MiB'
  | '%'
  | '% of a core'
  | 'messages/s'
  | 'messages'
  | 'bytes'
  | 'dependencies'
  | 'entries/s'
  | 'entries'
  | 'members'
  | 'verdicts'
  | 'bytes/s'
  | 'of 1'

export interface Question {
  readonly question: string
  readonly unit: Unit
  readonly samples: readonly number[]
  /** By the median or by the worst run; undefined when the figure is only reported. */
  readonly limit?: number
  /** `limit` is so many times the rival's median. */
  readonly timesRival?: number
  readonly judge?: 'median' | 'worst'
  /** True when more is better: `limit` is the least, and the worst run the lowest. False by default. */
  readonly more?: boolean
  readonly rival?: string
  readonly rivalSamples?: readonly number[]
}

/** One file a bench: it asks its questions and reports each as soon as it is answered. */
export interface Bench {
  readonly name: string
  run(tools: BenchTools): Promise<void>
}

export interface BenchTools {
  readonly report: (question: Question) => void
  /** For people who wait. */
  readonly progress: (text: string) => void
  readonly signal: AbortSignal
  /** A look, not a measurement: as few and as short runs as show something. */
  readonly quick: boolean
  /** Undefined: as many as the bench thinks right. */
  readonly peers: number | undefined
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]
  if (upper === undefined) throw new RangeError('a figure needs at least one run')
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}

export function figure(bench: string, asked: Question): Figure {
  const { question, unit, samples, judge = 'median', more = false, rival, rivalSamples = [] } = asked
  const measured = samples.length > 0
  const ours = measured ? median(samples) : null
  const worst = measured ? (more ? Math.min(...samples) : Math.max(...samples)) : null
  const judged = judge === 'worst' ? worst : ours
  const theirs = rivalSamples.length === 0 ? null : median(rivalSamples)
  const limit = limitOf(asked, theirs)
  return {
    bench,
    question,
    unit,
    ours: rounded(ours),
    worst: rounded(worst),
    rival: rival ?? null,
    theirs: rounded(theirs),
    limit: rounded(limit),
    bar: barOf(asked),
    met: limit === null || judged === null ? null : more ? judged >= limit : judged <= limit,
    runs: samples.length,
  }
}

function limitOf({ limit, timesRival }: Question, theirs: number | null): number | null {
  if (timesRival !== undefined) return theirs === null ? null : timesRival * theirs
  return limit ?? null
}

function barOf({ limit, timesRival, judge = 'median', more = false, unit }: Question): string | null {
  const relation = `${judge} ${more ? '≥' : '≤'}`
  if (timesRival !== undefined) return `${relation} ${timesRival} × rival`
  return limit === undefined ? null : `${relation} ${limit} ${unit}`
}

const columns = ['question', 'unit', 'ours', 'worst', 'rival', 'theirs', 'bar', 'met', 'runs'] as const

export function table(figures: readonly Figure[]): string {
  const rows = [columns, ...figures.map((row) => columns.map((column) => cell(row[column])))]
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function cell(value: string | number | boolean | null): string {
  if (value === null) return '–'
  if (typeof value === 'boolean') return value ? 'yes' : 'NO'
  return String(value)
}

/** Three digits that mean something. */
function rounded(value: number | null): number | null {
  if (value === null) return null
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}

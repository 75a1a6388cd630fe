/**
 * Whether a quantity grows.
 *
 * Heap and memory rise and fall with the garbage collector, so what is judged is
 * the floor: the smallest value of each tenth of the time, with the first three
 * tenths left out (caches fill, code is compiled). A line through the floors
 * gives the slope (least squares).
 */
export interface Soak {
  readonly name: string
  /** How long, where nobody says. */
  readonly minutes: number
  run(options: SoakOptions): Promise<readonly Series[]>
}

export interface SoakOptions {
  readonly durationMs: number
  readonly progress: (text: string) => void
  readonly signal: AbortSignal
}

export interface Series {
  /** Who was looked at. */
  readonly source: string
  readonly quantity: Quantity
  readonly points: readonly Point[]
}

export interface Point {
  readonly atMs: number
  readonly value: number
}

export type Quantity = keyof typeof limits

export interface Verdict {
  readonly source: string
  readonly quantity: Quantity
  readonly first: number
  readonly last: number
  readonly perHour: number
  readonly limit: number
  readonly grows: boolean
}

/**
 * Most that a floor may rise over the whole judged time, whatever its length:
 * noise does not add up, a leak does. A short soak finds a fast leak, a long
 * one a slow one.
 */
const limits = {
  'heap MiB': 4,
  'RSS MiB': 12,
  handles: 3,
  timers: 3,
} as const satisfies Record<string, number>

const windows = 10
const warmUpWindows = 3

export function judge(series: readonly Series[]): readonly Verdict[] {
  return series.map(({ source, quantity, points }) => {
    const judged = floors(points)
    const first = judged[0]
    const last = judged.at(-1)
    if (first === undefined || last === undefined || judged.length < 3) {
      throw new RangeError(`too few samples of ${quantity} of ${source} to judge`)
    }
    const perMs = slope(judged)
    return {
      source,
      quantity,
      first: first.value,
      last: last.value,
      perHour: perMs * 3_600_000,
      limit: limits[quantity],
      grows: perMs * (last.atMs - first.atMs) > limits[quantity],
    }
  })
}

/** The smallest value of each window after the warm-up. */
export function floors(points: readonly Point[]): readonly Point[] {
  const start = points[0]?.atMs ?? 0
  const width = ((points.at(-1)?.atMs ?? 0) - start) / windows
  const lowest = new Map<number, Point>()
  for (const point of points) {
    const window = Math.min(windows - 1, Math.floor((point.atMs - start) / width))
    const known = lowest.get(window)
    if (window >= warmUpWindows && (known === undefined || point.value < known.value)) {
      lowest.set(window, point)
    }
  }
  return [...lowest.entries()].sort(([a], [b]) => a - b).map(([, point]) => point)
}

/** Least squares, in units a millisecond. */
export function slope(points: readonly Point[]): number {
  const mean = (of: (point: Point) => number) => points.reduce((sum, p) => sum + of(p), 0) / points.length
  const meanAt = mean(({ atMs }) => atMs)
  const meanValue = mean(({ value }) => value)
  let above = 0
  let below = 0
  for (const { atMs, value } of points) {
    above += (atMs - meanAt) * (value - meanValue)
    below += (atMs - meanAt) ** 2
  }
  return below === 0 ? 0 : above / below
}

export function slopeTable(verdicts: readonly Verdict[]): string {
  const rows = [
    ['of', 'quantity', 'first floor', 'last floor', 'an hour', 'may rise', 'grows'],
    ...verdicts.map(({ source, quantity, first, last, perHour, limit, grows }) => [
      source,
      quantity,
      first.toFixed(1),
      last.toFixed(1),
      `${perHour >= 0 ? '+' : ''}${perHour.toFixed(1)}`,
      String(limit),
      grows ? 'YES' : 'no',
    ]),
  ]
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

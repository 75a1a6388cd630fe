/**
 * A small space-time diagram for a terminal: a column a host, time downwards. A
 * message is a row, from its publication to all who deliver it before they do
 * anything else; who delivers it later gets it by a dotted line further down.
 * So in each column events stand in the order in which they happened there.
 */
import { buildSpaceTime, type SpaceTime, type SpaceTimeEvent } from './space-time.ts'
import type { TraceEvent } from './trace-event.ts'

export interface DiagramOptions {
  /** What people call hosts. */
  readonly names?: ReadonlyMap<string, string>
  /** Of all lines, the legend included; at least 6. 16 by default. */
  readonly maxRows?: number
  /** 78 by default. */
  readonly maxColumns?: number
  /** For a terminal that does not show UTF-8. */
  readonly ascii?: boolean
}

interface Glyphs {
  readonly life: string
  readonly publish: string
  readonly line: string
  readonly late: string
  readonly right: string
  readonly left: string
  readonly crossing: string
  readonly lateCrossing: string
  readonly fromRight: string
  readonly fromLeft: string
}

const utf8: Glyphs = {
  life: '│',
  publish: '●',
  line: '─',
  late: '┄',
  right: '▶',
  left: '◀',
  crossing: '┼',
  lateCrossing: '┼',
  fromRight: '├',
  fromLeft: '┤',
}

const ascii: Glyphs = {
  life: '|',
  publish: '*',
  line: '-',
  late: '.',
  right: '>',
  left: '<',
  crossing: '+',
  lateCrossing: ':',
  fromRight: '|',
  fromLeft: '|',
}

/** Columns between two hosts: enough for an arrow with its number, not so many that the eye gets lost. */
const pitch = { min: 5, max: 14 } as const
const indent = 2
/** Head, first and last piece of the life lines, and the legend. */
const frameRows = 4

/** What happens in one row: a message, and who gets it there. */
interface Row {
  readonly number: number
  readonly from: number
  readonly to: readonly number[]
  readonly late: boolean
}

/** Lines without line ends, each within `maxColumns`. Hosts and events that do not fit are left out, latest first. */
export function diagram(events: readonly TraceEvent[], options: DiagramOptions = {}): readonly string[] {
  const { names, maxRows = 16, maxColumns = 78 } = options
  const glyphs = options.ascii === true ? ascii : utf8
  const spaceTime = buildSpaceTime(events, names)
  const all = spaceTime.lines
  const fitting = Math.max(1, Math.floor((maxColumns - indent) / pitch.min))
  const shown = [...all.keys()].sort((a, b) => byName(all[a] ?? '', all[b] ?? '')).slice(0, fitting)
  const step = Math.min(pitch.max, Math.floor((maxColumns - indent) / Math.max(1, shown.length)))
  const columns = new Map(shown.map((line, place) => [line, indent + place * step]))
  const rows = layOut(spaceTime, columns, Math.max(1, maxRows - frameRows))
  const lifeLines = draw(columns, glyphs)
  return [
    head(all, columns, step, maxColumns),
    lifeLines,
    ...rows.map((row) => draw(columns, glyphs, row)),
    lifeLines,
    legend(glyphs, all.length - shown.length),
  ].map((line) => line.slice(0, maxColumns).trimEnd())
}

/** Goes down all columns at once, always where the earliest event is. */
function layOut(
  { lines, events }: SpaceTime,
  columns: ReadonlyMap<number, number>,
  maxRows: number,
): readonly Row[] {
  const queues = lines.map((): SpaceTimeEvent[] => [])
  for (const event of events) queues[event.line]?.push(event)
  const next = lines.map(() => 0)
  const head = (line: number): SpaceTimeEvent | undefined => queues[line]?.[next[line] ?? 0]
  const take = (line: number): void => {
    next[line] = (next[line] ?? 0) + 1
  }
  const numbers = new Map<string, { readonly number: number; readonly from: number }>()
  const rows: Row[] = []
  for (const event of events) {
    if (rows.length === maxRows) break
    if (head(event.line) !== event) continue
    const { dot, line } = event
    const known = numbers.get(dot)
    if (event.kind === 'publish' && known === undefined) {
      numbers.set(dot, { number: numbers.size + 1, from: line })
      take(line)
    }
    const { number, from } = numbers.get(dot) ?? { number: 0, from: line }
    const to = lines.flatMap((_, other) => {
      const delivers = head(other)?.dot === dot && head(other)?.kind === 'deliver'
      if (delivers) take(other)
      return delivers && columns.has(other) && other !== from ? [other] : []
    })
    if (columns.has(from) && (known === undefined || to.length > 0)) {
      rows.push({ number, from, to, late: known !== undefined })
    }
  }
  return rows
}

function draw(columns: ReadonlyMap<number, number>, glyphs: Glyphs, row?: Row): string {
  const places = [...columns.values()]
  const width = Math.max(...places) + pitch.max
  const cells: string[] = new Array(width).fill(' ')
  for (const place of places) cells[place] = glyphs.life
  if (row === undefined) return cells.join('')
  const from = columns.get(row.from) ?? 0
  const targets = row.to.map((line) => columns.get(line) ?? 0)
  const stroke = row.late ? glyphs.late : glyphs.line
  const crossing = row.late ? glyphs.lateCrossing : glyphs.crossing
  const first = Math.min(from, ...targets)
  const last = Math.max(from, ...targets)
  for (let place = first; place <= last; place++) {
    cells[place] = places.includes(place) ? crossing : stroke
  }
  for (const place of targets) cells[place] = place > from ? glyphs.right : glyphs.left
  cells[from] = row.late ? sourceOf(first < from, last > from, glyphs) : glyphs.publish
  const label = String(row.number)
  const start = last > from || first === last ? from + 1 : from - label.length
  for (const [offset, digit] of [...label].entries()) cells[start + offset] = digit
  return cells.join('')
}

function sourceOf(toLeft: boolean, toRight: boolean, glyphs: Glyphs): string {
  if (toLeft && toRight) return glyphs.crossing
  return toLeft ? glyphs.fromLeft : glyphs.fromRight
}

function head(
  names: readonly string[],
  columns: ReadonlyMap<number, number>,
  step: number,
  maxColumns: number,
): string {
  const cells: string[] = new Array(maxColumns).fill(' ')
  for (const [line, place] of columns) {
    const name = [...(names[line] ?? '')].slice(0, Math.max(1, step - 1))
    const start = Math.max(0, place - Math.floor((name.length - 1) / 2))
    for (const [offset, char] of name.entries()) cells[start + offset] = char
  }
  return cells.join('')
}

function legend({ publish, right, late }: Glyphs, hidden: number): string {
  const others = hidden > 0 ? `   (${hidden} more hosts)` : ''
  return `  ${publish} publishes   ${right} delivers   ${late}${late}${right} delivers later${others}`
}

/** n2 before n10. */
function byName(a: string, b: string): number {
  const number = (text: string): number => Number(/\d+/.exec(text)?.[0] ?? 0)
  return number(a) - number(b) || (a < b ? -1 : a > b ? 1 : 0)
}

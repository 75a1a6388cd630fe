/** What stands beside a verdict: what everybody showed when a step failed, and how busy the machine was. */
import { availableParallelism, loadavg } from 'node:os'
import type { Cluster } from './cluster.ts'

/** What one daemon showed: of each peer its status, with the detail where there is one. */
export interface Shown {
  readonly observer: string
  readonly rows: Readonly<Record<string, string>>
}

/** Of those who ran, at this moment. */
export function shownNow(cluster: Cluster): readonly Shown[] {
  const { recorder } = cluster
  return cluster.running().map(({ name: observer }) => ({
    observer,
    rows: Object.fromEntries(
      cluster.members.map(({ name }) => {
        const row = recorder.row(observer, name)
        const more = row?.detail ?? row?.reason
        return [name, `${row?.status ?? '-'}${more ? ` (${more})` : ''}`]
      }),
    ),
  }))
}

/** Wider ones are not to be taken in. */
const maxColumns = 12

/** As a table: a line an observer, a column a peer. Empty where nobody ran, or too many. */
export function shownLines(shown: readonly Shown[]): readonly string[] {
  const names = Object.keys(shown[0]?.rows ?? {})
  if (names.length === 0 || names.length > maxColumns) return []
  const table = [['', ...names], ...shown.map(({ observer, rows }) => [observer, ...Object.values(rows)])]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)))
  return table.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** Mean numbers of processes that ran or waited for a processor during the last minute. */
export interface Load {
  readonly cores: number
  readonly before: number
  readonly after: number
}

export function loadNow(): number {
  return Math.round((loadavg()[0] ?? 0) * 10) / 10
}

export function loadSince(before: number): Load {
  return { cores: availableParallelism(), before, after: loadNow() }
}

/** Others had the machine before it began: what comes late, or is suspected, may be due to that. */
export function wasBusy({ cores, before }: Load): boolean {
  return before > cores
}

/** Aligned columns. */
import { type Paint, printable } from './style.ts'

/** Text, or text with a colour: the colour takes no room. */
export type Cell = string | { readonly text: string; readonly paint: Paint }

const gap = '  '

/** A line a row, columns as wide as their widest cell, no blanks at the end of a line. */
export function renderTable(rows: readonly (readonly Cell[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, width(textOf(cell)))
    })
  }
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const text = textOf(cell)
        const padding = column === row.length - 1 ? '' : ' '.repeat((widths[column] ?? 0) - width(text))
        return (typeof cell === 'string' ? text : cell.paint(text)) + padding
      })
      .join(gap)
      .trimEnd(),
  )
}

function textOf(cell: Cell): string {
  return printable(typeof cell === 'string' ? cell : cell.text)
}

/** In characters; wide ones count as one. */
function width(text: string): number {
  return [...text].length
}

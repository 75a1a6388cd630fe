import type { Output } from './context.ts'

/** From the top left corner, cut to the terminal: a wrapped line would shift the rest. */
export function drawScreen(output: Output, lines: readonly string[]): void {
  const columns = output.columns || 80
  const rows = output.rows || 24
  const shown = lines.slice(0, rows - 1).map((line) => cut(line, columns))
  output.write(`\x1b[H\x1b[J${shown.join('\n')}\n`)
}

const esc = '\x1b'

/** The first `columns` characters; colour codes take no room and stay. */
export function cut(line: string, columns: number): string {
  const [before = '', ...painted] = line.split(esc)
  const kept: string[] = []
  let room = columns
  const keep = (text: string): void => {
    const characters = [...text].slice(0, room)
    room -= characters.length
    kept.push(...characters)
  }
  keep(before)
  for (const part of painted) {
    const codeEnd = part.indexOf('m') + 1
    kept.push(esc, part.slice(0, codeEnd))
    keep(part.slice(codeEnd))
  }
  return kept.join('')
}

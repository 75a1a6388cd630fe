import { ControlClient } from '../../daemon/client/client.ts'
import type { GroupRow } from '../../daemon/control/schemas.ts'
import { formatBytes } from '../bytes.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { type Style, styleFor } from '../style.ts'
import { type Cell, renderTable } from '../table.ts'

export async function run(context: Context): Promise<undefined> {
  const answer = await ControlClient.open(context.dataDir).groups({ signal: context.signal })
  if (context.json) return void printJson(context.stdout, answer)
  const style = styleFor(context.stdout, context.env)
  for (const line of renderGroups(answer.groups, style)) printLine(context.stdout, line)
}

const header = ['GROUP', 'HERE', 'MEMBERS', 'DELIVERED', 'HELD BACK', 'LOG'] as const

export function renderGroups(groups: readonly GroupRow[], style: Style): string[] {
  return renderTable([
    header.map((text) => ({ text, paint: style.dim })),
    ...groups.map((row): Cell[] => [
      row.name,
      here(row, style),
      String(row.members.length),
      ...(row.joined
        ? [
            String(row.delivered),
            String(row.heldBack),
            `${row.logMessages} ${row.logMessages === 1 ? 'message' : 'messages'}, ${formatBytes(row.logBytes)}`,
          ]
        : ['-', '-', '-']),
    ]),
  ])
}

function here({ joined, ready }: GroupRow, style: Style): Cell {
  if (!joined) return { text: 'no', paint: style.dim }
  return ready === false ? { text: 'catching up', paint: style.yellow } : { text: 'yes', paint: style.green }
}

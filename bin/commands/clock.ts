import { setTimeout as delay } from 'node:timers/promises'
import { ControlClient } from '../../daemon/client/client.ts'
import type { ClockAnswer } from '../../daemon/control/schemas.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { PeerNames } from '../peer-names.ts'
import { drawScreen } from '../screen.ts'
import { type Cell, renderTable } from '../table.ts'

interface Options {
  readonly group?: string
  readonly watch?: boolean
}

/** Between two readings of `--watch`, ms. */
const periodMs = 1000

export async function run(
  context: Context,
  _args: readonly string[],
  { group, watch = false }: Options,
): Promise<undefined> {
  const client = ControlClient.open(context.dataDir)
  const names = PeerNames.of(client, context.signal)
  const query = group === undefined ? {} : { group }
  const redraws = watch && context.stdout.isTTY === true
  do {
    const clock = await client.clock(query, { signal: context.signal })
    if (context.json) printJson(context.stdout, clock)
    else {
      const lines = renderClock(clock, await entriesOf(clock, names))
      if (redraws) drawScreen(context.stdout, lines)
      else for (const line of lines) printLine(context.stdout, line)
    }
    if (watch) await delay(periodMs, undefined, { signal: context.signal })
  } while (watch)
}

type Entry = readonly [peer: string, count: number]

/** `m1#epoch` where the name is unique, else with the beginning of the id. */
async function entriesOf({ vector }: ClockAnswer, names: PeerNames): Promise<Entry[]> {
  const entries: Entry[] = []
  for (const [entry, count] of Object.entries(vector)) {
    const at = entry.lastIndexOf('#')
    entries.push([`${await names.show(entry.slice(0, at))}${entry.slice(at)}`, count])
  }
  return entries.sort(([a], [b]) => (a < b ? -1 : Number(a > b)))
}

export function renderClock(
  { lamport, group, hlc, network }: ClockAnswer,
  entries: readonly Entry[],
): string[] {
  const shown = entries.length === 0 ? ['empty'] : entries.map(([peer, count]) => `${peer}  ${count}`)
  return renderTable([
    ['lamport', String(lamport)],
    ['hybrid', `${hlc}  ${wallTime(hlc)}`],
    ['network', network.state],
    // Below the others: it alone is of one group, and as long as that has authors.
    ['group', group],
    ...shown.map((text, at): Cell[] => [at === 0 ? 'vector' : '', text]),
  ])
}

function wallTime(hlc: string): string {
  const ms = Number(hlc.split('.', 1)[0])
  // Beyond it there is no date to name.
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : ''
}

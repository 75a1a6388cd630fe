import { ControlClient } from '../../daemon/client/client.ts'
import type { MemberRow, MemberStatusName } from '../../daemon/control/schemas.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { formatAge, formatRtt } from '../duration.ts'
import { shortId } from '../peer-id.ts'
import { drawScreen } from '../screen.ts'
import { type Paint, type Style, styleFor } from '../style.ts'
import { type Cell, renderTable } from '../table.ts'

interface Options {
  readonly status?: MemberStatusName
  readonly watch?: boolean
}

export async function run(context: Context, _args: readonly string[], options: Options): Promise<undefined> {
  const client = ControlClient.open(context.dataDir)
  if (options.watch) return await watch(context, client, options.status)
  const query = options.status === undefined ? {} : { status: options.status }
  const answer = await client.members(query, { signal: context.signal })
  if (context.json) return void printJson(context.stdout, answer)
  const style = styleFor(context.stdout, context.env)
  for (const line of renderMembers(answer.members, Date.now(), style)) printLine(context.stdout, line)
}

/** Ends only with the daemon, the reader or a signal. */
async function watch(
  context: Context,
  client: ControlClient,
  status: MemberStatusName | undefined,
): Promise<never> {
  const style = styleFor(context.stdout, context.env)
  const wanted = (row: MemberRow): boolean => status === undefined || row.status === status
  const rows = new Map<string, MemberRow>()
  const redraw = (): void => {
    drawScreen(context.stdout, renderMembers([...rows.values()].filter(wanted), Date.now(), style))
  }
  const redraws = context.stdout.isTTY === true && !context.json
  // Ages grow also while nothing changes.
  const ticks = redraws ? setInterval(redraw, 1000) : undefined
  try {
    for await (const event of client.memberEvents({ signal: context.signal })) {
      const changed = event.type === 'snapshot' ? event.snapshot.members : [event.member]
      if (event.type === 'snapshot') rows.clear()
      for (const row of changed) rows.set(row.peerId, row)
      const shown = changed.filter(wanted)
      if (redraws) redraw()
      else if (event.type === 'snapshot' && context.json) printJson(context.stdout, { members: shown })
      else for (const row of shown) printRow(context, row, [...rows.keys()])
    }
  } finally {
    clearInterval(ticks)
  }
  throw new P2pdError('ERR_CONNECTION_LOST', 'the daemon ended', { hint: "start it again with 'p2pd'" })
}

function printRow(context: Context, row: MemberRow, peerIds: readonly string[]): void {
  if (context.json) printJson(context.stdout, row)
  else printLine(context.stdout, renderChange(row, peerIds, new Date()))
}

const header = ['NAME', 'ID', 'STATUS', 'ADDRESS', 'RTT', 'SINCE', 'INCARNATION'] as const

/** By name, then id. `now` is wall time in ms. */
export function renderMembers(members: readonly MemberRow[], now: number, style: Style): string[] {
  const peerIds = members.map(({ peerId }) => peerId)
  const sorted = [...members].sort((a, b) => compare(a.name, b.name) || compare(a.peerId, b.peerId))
  return renderTable([
    header.map((text) => ({ text, paint: style.dim })),
    ...sorted.map((row): Cell[] => [
      row.self ? `${row.name} (self)` : row.name,
      shortId(row.peerId, peerIds),
      { text: statusText(row), paint: statusPaint(row.status, style) },
      addressText(row.addresses),
      row.rttMs === null ? '-' : formatRtt(row.rttMs),
      formatAge(now - row.since),
      String(row.incarnation),
    ]),
  ])
}

/** One line of `--watch` where there is no terminal to redraw. */
export function renderChange(row: MemberRow, peerIds: readonly string[], at: Date): string {
  const cells = [row.name, shortId(row.peerId, peerIds), statusText(row), addressText(row.addresses)]
  return renderTable([[at.toISOString(), ...cells, `incarnation ${row.incarnation}`]]).join('')
}

/** Why somebody left, and what alive hides. */
function statusText({ status, detail, reason }: MemberRow): string {
  if (detail !== null) return `${status} (${detail})`
  return status === 'left' && reason === 'stopping' ? 'left (stopped)' : status
}

function statusPaint(status: MemberStatusName, style: Style): Paint {
  switch (status) {
    case 'alive':
      return style.green
    case 'suspect':
      return style.yellow
    case 'dead':
      return style.red
    case 'left':
      return style.dim
  }
}

/** The first that is not of this machine alone, and how many more there are. */
function addressText(addresses: readonly string[]): string {
  const first = addresses.find((address) => !/^\/ip4\/127\.|^\/ip6\/::1\//.test(address)) ?? addresses[0]
  if (first === undefined) return '-'
  const shown = first.replace(/\/p2p\/[^/]+$/, '')
  return addresses.length > 1 ? `${shown} +${addresses.length - 1}` : shown
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

import { ControlClient } from '../../daemon/client/client.ts'
import type {
  IsolationEvent,
  MemberRow,
  MemberStatusName,
  MembersQuery,
} from '../../daemon/control/schemas.ts'
import { matchesTag } from '../../daemon/tag-words.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { formatAge, formatRtt } from '../duration.ts'
import { accusersText, namesInConflict, statusPaint, statusText } from '../member-text.ts'
import { shortId, shortIds } from '../peer-id.ts'
import { PeerNames, uniqueNames } from '../peer-names.ts'
import { cut, drawScreen } from '../screen.ts'
import { type Style, styleFor } from '../style.ts'
import { type Cell, renderTable } from '../table.ts'
import { formatTags } from '../tags.ts'

interface Options {
  readonly status?: MemberStatusName
  /** `KEY=VALUE` or `KEY`; all must match. */
  readonly tag?: readonly string[]
  readonly watch?: boolean
}

export async function run(context: Context, _args: readonly string[], options: Options): Promise<undefined> {
  const client = ControlClient.open(context.dataDir)
  if (options.watch) return await watch(context, client, options)
  const { status, tag } = options
  const query: MembersQuery = {
    ...(status === undefined ? {} : { status }),
    ...(tag === undefined ? {} : { tag: [...tag] }),
  }
  const answer = await client.members(query, { signal: context.signal })
  if (context.json) return void printJson(context.stdout, answer)
  const style = styleFor(context.stdout, context.env)
  const nameOf = await accuserNames(context, client, answer.members)
  for (const line of renderMembers(answer.members, Date.now(), style, nameOf)) printLine(context.stdout, line)
}

/** Who accuses may be none of the rows asked for. */
async function accuserNames(
  { signal }: Context,
  client: ControlClient,
  rows: readonly MemberRow[],
): Promise<(peerId: string) => string> {
  const names = new Map(uniqueNames(rows))
  const others = PeerNames.of(client, signal)
  for (const id of rows.flatMap(({ accusers }) => accusers)) {
    if (!names.has(id)) names.set(id, await others.show(id))
  }
  return (peerId) => names.get(peerId) ?? peerId
}

/** Ends only with the daemon, the reader or a signal. */
async function watch(context: Context, client: ControlClient, { status, tag = [] }: Options): Promise<never> {
  const style = styleFor(context.stdout, context.env)
  const wanted = (row: MemberRow): boolean =>
    (status === undefined || row.status === status) && tag.every((filter) => matchesTag(row.tags, filter))
  const rows = new Map<string, MemberRow>()
  let isolation: IsolationEvent | undefined
  const redraw = (): void => {
    const all = [...rows.values()]
    const names = uniqueNames(all)
    const nameOf = (peerId: string): string => names.get(peerId) ?? shortId(peerId, [])
    const lines = renderMembers(all.filter(wanted), Date.now(), style, nameOf, context.stdout.columns || 80)
    const warning = isolation?.isolated ? [style.red(renderIsolation(isolation))] : []
    drawScreen(context.stdout, [...warning, ...lines])
  }
  const redraws = context.stdout.isTTY === true && !context.json
  // Ages grow also while nothing changes.
  const ticks = redraws ? setInterval(redraw, 1000) : undefined
  try {
    for await (const event of client.memberEvents({ signal: context.signal })) {
      if (event.type === 'isolated') {
        isolation = event.isolation
        if (redraws) redraw()
        else printIsolation(context, isolation)
        continue
      }
      const changed = event.type === 'snapshot' ? event.snapshot.members : [event.member]
      if (event.type === 'snapshot') rows.clear()
      for (const row of changed) rows.set(row.peerId, row)
      const shown = changed.filter(wanted)
      if (event.type === 'snapshot' && context.json) printJson(context.stdout, { members: shown })
      else if (!redraws) for (const row of shown) printRow(context, row, rows)
      // Told once, and then it is no row any more.
      for (const row of changed) if (row.detail === 'reaped') rows.delete(row.peerId)
      if (redraws) redraw()
    }
  } finally {
    clearInterval(ticks)
  }
  throw new P2pdError('ERR_CONNECTION_LOST', 'the daemon ended', { hint: "start it again with 'p2pd'" })
}

/** No row: as `sub` marks what is no delivery. */
function printIsolation(context: Context, isolation: IsolationEvent): void {
  if (context.json) return printJson(context.stdout, { event: 'isolated', ...isolation })
  printLine(context.stdout, `${new Date(isolation.since).toISOString()}  ${renderIsolation(isolation)}`)
}

function renderIsolation({ isolated }: IsolationEvent): string {
  return isolated ? 'isolated: no bytes from anybody, so look at the own network first' : 'no longer isolated'
}

function printRow(context: Context, row: MemberRow, rows: ReadonlyMap<string, MemberRow>): void {
  if (context.json) return printJson(context.stdout, row)
  const nameOf = (peerId: string): string => rows.get(peerId)?.name || shortId(peerId, [...rows.keys()])
  printLine(context.stdout, renderChange(row, [...rows.keys()], new Date(), nameOf))
}

interface Column {
  readonly title: string
  readonly cell: (row: MemberRow) => Cell
}

/** What a narrow screen does without, first to go first. */
const dispensable = ['INCARNATION', 'ADDRESS', 'RTT']

/**
 * By name, then id; tags and who says so only where there are some. Columns are left
 * out until a line fits into `width` characters. `now` is wall time in ms.
 */
export function renderMembers(
  members: readonly MemberRow[],
  now: number,
  style: Style,
  nameOf: (peerId: string) => string = (peerId) => peerId,
  width = Number.POSITIVE_INFINITY,
): string[] {
  const sorted = [...members].sort((a, b) => compare(a.name, b.name) || compare(a.peerId, b.peerId))
  const columns = columnsFor(sorted, now, style, nameOf)
  for (let left = 0; ; left++) {
    const shown = columns.filter(({ title }) => !dispensable.slice(0, left).includes(title))
    const titles = shown.map(({ title }) => ({ text: title, paint: style.dim }))
    const lines = renderTable([titles, ...sorted.map((row) => shown.map(({ cell }) => cell(row)))])
    if (left === dispensable.length || lines.every((line) => cut(line, width) === line)) return lines
  }
}

function columnsFor(
  members: readonly MemberRow[],
  now: number,
  style: Style,
  nameOf: (peerId: string) => string,
): readonly Column[] {
  const ids = shortIds(members.map(({ peerId }) => peerId))
  const conflicts = namesInConflict(members)
  const columns: Column[] = [
    { title: 'NAME', cell: (row) => nameCell(row, conflicts, style) },
    { title: 'ID', cell: ({ peerId }) => ids.get(peerId) ?? peerId },
    { title: 'STATUS', cell: (row) => ({ text: statusText(row), paint: statusPaint(row.status, style) }) },
    { title: 'ADDRESS', cell: ({ addresses }) => addressText(addresses) },
    { title: 'RTT', cell: ({ rttMs }) => (rttMs === null ? '-' : formatRtt(rttMs)) },
    { title: 'SINCE', cell: ({ since }) => formatAge(now - since) },
    { title: 'INCARNATION', cell: ({ incarnation }) => String(incarnation) },
  ]
  if (members.some(({ tags }) => Object.keys(tags).length > 0)) {
    columns.push({ title: 'TAGS', cell: ({ tags }) => formatTags(tags) })
  }
  if (members.some(({ accusers }) => accusers.length > 0)) {
    columns.push({ title: 'SAID BY', cell: ({ accusers }) => accusersText(accusers, nameOf) })
  }
  return columns
}

function nameCell({ name, self, status }: MemberRow, conflicts: ReadonlySet<string>, style: Style): Cell {
  const isPresent = status === 'alive' || status === 'suspect'
  if (isPresent && conflicts.has(name)) {
    return { text: `${name} (${self ? 'self, ' : ''}name conflict)`, paint: style.yellow }
  }
  return self ? `${name} (self)` : name
}

/** One line of `--watch` where there is no terminal to redraw. */
export function renderChange(
  row: MemberRow,
  peerIds: readonly string[],
  at: Date,
  nameOf: (peerId: string) => string = (peerId) => peerId,
): string {
  const cells = [row.name, shortId(row.peerId, peerIds), statusText(row), addressText(row.addresses)]
  const tags = formatTags(row.tags)
  const by = accusersText(row.accusers, nameOf)
  return renderTable([
    [
      at.toISOString(),
      ...cells,
      `incarnation ${row.incarnation}`,
      ...(tags === '' ? [] : [tags]),
      ...(by === '' ? [] : [`says ${by}`]),
    ],
  ]).join('')
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

import { ControlClient } from '../../daemon/client/client.ts'
import type { ReachabilityAnswer, ReachabilityRow } from '../../daemon/control/schemas.ts'
import { type ExitCode, exitCodes } from '../../daemon/exit-code.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { formatAge, formatRtt } from '../duration.ts'
import { statusPaint, statusText } from '../member-text.ts'
import { patiently } from '../patience.ts'
import { shortIds } from '../peer-id.ts'
import { PeerNames } from '../peer-names.ts'
import { type Style, styleFor } from '../style.ts'
import { type Cell, renderTable } from '../table.ts'

interface Options {
  readonly timeout?: number
}

export async function run(
  context: Context,
  _args: readonly string[],
  { timeout }: Options,
): Promise<ExitCode> {
  const { json, dataDir, signal, stdout, env } = context
  const client = ControlClient.open(dataDir)
  const request = timeout === undefined ? {} : { timeoutMs: timeout }
  const answer = await patiently(context, client.reachability(request, { signal }))
  if (json) printJson(stdout, answer)
  else {
    const names = PeerNames.of(client, signal)
    const accusers = new Map<string, string>()
    for (const { accusers: ids } of answer.members)
      for (const id of ids) accusers.set(id, await names.show(id))
    const lines = renderReachability(
      answer,
      Date.now(),
      styleFor(stdout, env),
      (id) => accusers.get(id) ?? id,
    )
    for (const line of lines) printLine(stdout, line)
  }
  return answer.answered === answer.asked ? exitCodes.ok : exitCodes.failed
}

const header = ['NAME', 'ID', 'STATUS', 'RTT', 'BY'] as const

/** `now` is wall time in ms. */
export function renderReachability(
  { asked, answered, gone, members }: ReachabilityAnswer,
  now: number,
  style: Style,
  nameOf: (peerId: string) => string,
): string[] {
  const ids = shortIds(members.map(({ peerId }) => peerId))
  const rows = members.map((row): Cell[] => [
    row.name,
    ids.get(row.peerId) ?? row.peerId,
    { text: statusText(row), paint: statusPaint(row.status, style) },
    row.rttMs === null ? { text: 'none', paint: style.red } : formatRtt(row.rttMs),
    row.rttMs === null ? reason(row, now, nameOf) : path(row),
  ])
  const table =
    rows.length === 0 ? [] : renderTable([header.map((text) => ({ text, paint: style.dim })), ...rows])
  return [...table, summary(asked, answered, gone)]
}

function summary(asked: number, answered: number, gone: number): string {
  const others = gone === 0 ? '' : `; ${gone} dead or left ${gone === 1 ? 'was' : 'were'} not asked`
  if (asked === 0) return `nobody else is a member${others}`
  const verdict = answered === asked ? (asked === 1 ? 'it answered' : 'all answered') : `${answered} answered`
  return `${asked} asked, ${verdict}${others}`
}

function path({ path }: ReachabilityRow): string {
  if (path === null) return 'a connection that has closed since'
  const kind = path.dialled ? 'dialled' : path.direction
  return `${kind} ${path.address}`
}

const wording: Readonly<Record<string, string>> = {
  silent: 'connected, but nothing came',
  timeout: 'no answer in time',
  refused: 'its addresses refuse connections',
  unanswered: 'its machine answers, its process does not',
  untried: 'too many dials under way',
  'other-identity': 'somebody else is at its addresses',
  denied: 'one of the two does not admit the other',
  unreachable: 'its addresses cannot be reached',
  'not-asked': 'not asked: the time was over',
}

/** Why, and what the failure detector says of it. */
function reason(
  { why, status, since, accusers }: ReachabilityRow,
  now: number,
  nameOf: (peerId: string) => string,
): string {
  const what = wording[why ?? ''] ?? why ?? ''
  if (status === 'alive') return what
  const by = accusers.length === 0 ? '' : ` by ${accusers.map(nameOf).join(', ')}`
  return `${what}; ${status} for ${formatAge(now - since)}${by}`
}

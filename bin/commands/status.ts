import { ControlClient } from '../../daemon/client/client.ts'
import type { StatusAnswer } from '../../daemon/control/schemas.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { formatAge } from '../duration.ts'
import { type Style, styleFor } from '../style.ts'
import { type Cell, renderTable } from '../table.ts'

export async function run(context: Context): Promise<undefined> {
  const status = await ControlClient.open(context.dataDir).status({ signal: context.signal })
  if (context.json) printJson(context.stdout, status)
  else
    for (const line of renderStatus(status, styleFor(context.stdout, context.env)))
      printLine(context.stdout, line)
}

/** One screen. */
export function renderStatus(status: StatusAnswer, style: Style): string[] {
  const { alive, suspect, dead, left } = status.members
  const rows: Cell[][] = [
    ['name', { text: status.name, paint: style.bold }],
    ['peer id', status.peerId],
    ['cluster', status.cluster],
    ['version', status.version],
    ['uptime', `${formatAge(status.uptimeMs)}, pid ${status.pid}`],
    ...labelled('addresses', status.addresses.length === 0 ? ['none'] : status.addresses),
    ['members', `${alive} alive, ${suspect} suspect, ${dead} dead, ${left} left`],
    ['health', health(status, style)],
    ['quorum', quorum(status, style)],
    ['clock', `lamport ${status.clock.lamport}, hybrid ${status.clock.hlc}`],
    ...labelled(
      'groups',
      status.groups.length === 0 ? ['none'] : status.groups.slice(0, shownGroups).map(group),
    ),
  ]
  if (status.groups.length > shownGroups) {
    rows.push(['', `and ${status.groups.length - shownGroups} more: 'p2pd groups' lists them`])
  }
  for (const fork of status.forks.slice(0, shownForks)) rows.push(forkRow(fork, style))
  if (status.forks.length > shownForks) {
    rows.push(['', { text: `and ${status.forks.length - shownForks} more: see --json`, paint: style.red }])
  }
  if (status.rolledBack) {
    rows.push(['warning', { text: 'this data directory was restored from a backup', paint: style.yellow }])
  }
  return renderTable(rows)
}

/** It is to stay one screen. */
const shownGroups = 8
const shownForks = 3

function group({ name, members, delivered, heldBack }: StatusAnswer['groups'][number]): string {
  const waiting = heldBack === 0 ? '' : `, ${heldBack} held back`
  return `${name}: ${members} ${members === 1 ? 'member' : 'members'}, ${delivered} delivered${waiting}`
}

function forkRow({ group, sender, epoch, seq }: StatusAnswer['forks'][number], style: Style): Cell[] {
  const text = `${sender}#${epoch} signed two contents for its message ${seq} in ${group}`
  return ['fork', { text, paint: style.red }]
}

function labelled(label: string, values: readonly string[]): Cell[][] {
  return values.map((value, index) => [index === 0 ? label : '', value])
}

function health({ ready, health: { score, isolated } }: StatusAnswer, style: Style): Cell {
  if (isolated) return { text: 'isolated: no bytes from anybody', paint: style.red }
  if (!ready) return { text: 'starting', paint: style.yellow }
  if (score > 0) return { text: `slow: ${score} of 8`, paint: style.yellow }
  return { text: 'well', paint: style.green }
}

function quorum({ quorum: { voters, version, reachable } }: StatusAnswer, style: Style): Cell {
  if (voters.length === 0) return 'none yet'
  return {
    text: `${voters.length} voters, version ${version}, ${reachable ? 'reachable' : 'not reachable'}`,
    paint: reachable ? style.green : style.red,
  }
}

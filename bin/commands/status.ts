import { ControlClient } from '../../daemon/client/client.ts'
import type { StatusAnswer } from '../../daemon/control/schemas.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { formatAge, formatLeft } from '../duration.ts'
import { shortIds } from '../peer-id.ts'
import { PeerNames } from '../peer-names.ts'
import { type Style, styleFor } from '../style.ts'
import { type Cell, renderTable } from '../table.ts'
import { formatTags } from '../tags.ts'

export async function run(context: Context): Promise<undefined> {
  const client = ControlClient.open(context.dataDir)
  const status = await client.status({ signal: context.signal })
  if (context.json) return void printJson(context.stdout, status)
  const names = new Map<string, string>()
  const shown = PeerNames.of(client, context.signal)
  for (const peerId of peersNamed(status)) names.set(peerId, await shown.show(peerId))
  const lines = renderStatus(status, styleFor(context.stdout, context.env), names)
  for (const line of lines) printLine(context.stdout, line)
}

/** The daemon is asked for names only where somebody is to be named. */
function peersNamed({ quorum: { missing, conflict } }: StatusAnswer): readonly string[] {
  return [...missing, ...(conflict === null ? [] : [conflict.peerId])]
}

/** One screen. `names` are shown instead of ids. */
export function renderStatus(
  status: StatusAnswer,
  style: Style,
  names: ReadonlyMap<string, string> = new Map(),
): string[] {
  const { alive, suspect, dead, left } = status.members
  const rows: Cell[][] = [
    ['name', { text: status.name, paint: style.bold }],
    ['peer id', status.peerId],
    ['cluster', status.cluster],
    ['version', status.version],
    ['uptime', `${formatAge(status.uptimeMs)}, pid ${status.pid}`],
    ...labelled('addresses', status.addresses.length === 0 ? ['none'] : status.addresses),
    ...labelled('tags', Object.keys(status.tags).length === 0 ? [] : [formatTags(status.tags)]),
    ['members', `${alive} alive, ${suspect} suspect${stalled(status)}, ${dead} dead, ${left} left`],
    ...conflictRows(status, style),
    ['health', health(status, style)],
    ...quorumRows(status, style, (peerId) => names.get(peerId) ?? peerId),
    ['locks', locks(status)],
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
const shownConflicts = 3
const shownForks = 3

function stalled({ stalled }: StatusAnswer): string {
  return stalled === 0 ? '' : ` (${stalled} stalled)`
}

function conflictRows({ nameConflicts }: StatusAnswer, style: Style): Cell[][] {
  const rows = nameConflicts.slice(0, shownConflicts).map(({ name, peers }): Cell[] => {
    const text = `${peers.length} members are called ${name}: ${shortened(peers).join(', ')}`
    return ['', { text, paint: style.yellow }]
  })
  const more = nameConflicts.length - shownConflicts
  return more > 0 ? [...rows, ['', `and ${more} more such names: see --json`]] : rows
}

function shortened(peerIds: readonly string[]): string[] {
  const ids = shortIds(peerIds)
  return peerIds.map((peerId) => ids.get(peerId) ?? peerId)
}

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

/** A timer that is later than this is worth a word, ms. */
const lateMs = 100

function health({ ready, health }: StatusAnswer, style: Style): Cell {
  const { score, isolated, loopLagMs } = health
  if (isolated) return { text: 'isolated: no bytes from anybody', paint: style.red }
  if (!ready) return { text: 'starting', paint: style.yellow }
  const late = loopLagMs < lateMs ? '' : `, timers ${formatLeft(loopLagMs)} late`
  if (score > 0 || late !== '') return { text: `slow: ${score} of 8${late}`, paint: style.yellow }
  return { text: 'well', paint: style.green }
}

function quorumRows({ quorum }: StatusAnswer, style: Style, nameOf: (peerId: string) => string): Cell[][] {
  const { missing, change, conflict } = quorum
  const rows: Cell[] = [quorumState(quorum, style)]
  if (missing.length > 0) {
    rows.push({ text: `no answer from ${missing.map(nameOf).join(', ')}`, paint: style.yellow })
  }
  if (change !== null) rows.push(`${change.phase} a change to ${voters(change.voters.length)}`)
  if (quorum.void !== null) {
    const deed = quorum.void === 'lost' ? 'was lost' : 'went back'
    rows.push({ text: `this peer does not vote: its disk ${deed}; see 'p2pd voters'`, paint: style.red })
  }
  if (conflict !== null) {
    const text = `${nameOf(conflict.peerId)} is of another electorate: a lock can be held once in each`
    rows.push({ text, paint: style.red })
  }
  return rows.map((row, at) => [at === 0 ? 'quorum' : '', row])
}

function quorumState(quorum: StatusAnswer['quorum'], style: Style): Cell {
  if (quorum.voters.length === 0) {
    return quorum.self === 'waiting'
      ? { text: 'none yet: waits for others', paint: style.yellow }
      : 'none yet'
  }
  const { version, reachable, self, abstainsForMs } = quorum
  const own = self === 'abstaining' ? `abstaining for ${formatAge(abstainsForMs)}` : self
  return {
    text:
      `${voters(quorum.voters.length)}, version ${version}, ${reachable ? 'reachable' : 'not reachable'}` +
      `${self === 'member' || self === 'none' ? '' : `; this one ${own}`}`,
    paint: reachable ? style.green : style.red,
  }
}

function voters(count: number): string {
  return `${count} ${count === 1 ? 'voter' : 'voters'}`
}

function locks({ locks: { held, waiting } }: StatusAnswer): string {
  return held === 0 && waiting === 0 ? 'none' : `${held} held, ${waiting} waiting`
}

/** The membership table as its public rows. */
import type { MemberChange, MemberView } from '../../lib/protocols/membership/messages.ts'
import type { MemberRow, MemberStatusName, NameConflict } from './schemas.ts'

/**
 * `joining` shows as alive, `stalled` as suspect, `leaving` as left; `detail` keeps
 * the difference. A row that is gone from the table says so there as well.
 */
export function toRow(view: MemberView, change?: MemberChange): MemberRow {
  return {
    peerId: view.peer,
    name: view.name,
    status: publicStatus(view.status),
    incarnation: view.incarnation,
    addresses: [...view.addresses],
    tags: { ...view.tags },
    // Microseconds are what the clock gives; more digits would be noise.
    rttMs: view.rttMs === undefined ? null : Math.round(view.rttMs * 1000) / 1000,
    since: Math.trunc(view.since),
    self: view.self,
    connected: view.connected,
    generation: view.generation,
    version: view.version,
    groups: [...view.groups],
    detail: change === 'reaped' ? 'reaped' : detailOf(view.status),
    reason: view.reason ?? null,
    accusers: [...view.accusers],
  }
}

function detailOf(status: MemberView['status']): MemberRow['detail'] {
  return status === 'joining' || status === 'stalled' || status === 'leaving' ? status : null
}

export function publicStatus(status: MemberView['status']): MemberStatusName {
  switch (status) {
    case 'joining':
      return 'alive'
    case 'leaving':
      return 'left'
    case 'stalled':
      return 'suspect'
    case 'alive':
    case 'suspect':
    case 'dead':
    case 'left':
      return status
  }
}

/** The own row first, then by name and id, so that two looks can be compared. */
export function toRows(views: readonly MemberView[]): MemberRow[] {
  return views
    .map((view) => toRow(view))
    .sort((a, b) => Number(b.self) - Number(a.self) || compare(a.name, b.name) || compare(a.peerId, b.peerId))
}

export function countByStatus(views: readonly MemberView[]): Record<MemberStatusName, number> {
  const counts = { alive: 0, suspect: 0, dead: 0, left: 0 }
  for (const view of views) counts[publicStatus(view.status)]++
  return counts
}

/** Those of the suspects that stall. */
export function countStalled(views: readonly MemberView[]): number {
  return views.filter(({ status }) => status === 'stalled').length
}

/** Most conflicts that are told, and bearers of one. */
const maxConflicts = 16

/** Names that several members bear at once, so that no command can mean one of them by it. */
export function nameConflicts(views: readonly MemberView[]): NameConflict[] {
  const bearers = new Map<string, string[]>()
  for (const { name, peer, status } of views) {
    if (status === 'dead' || status === 'left' || status === 'leaving') continue
    const known = bearers.get(name)
    if (known === undefined) bearers.set(name, [peer])
    else known.push(peer)
  }
  return [...bearers]
    .filter(([, peers]) => peers.length > 1)
    .slice(0, maxConflicts)
    .map(([name, peers]) => ({ name, peers: peers.sort().slice(0, maxConflicts) }))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

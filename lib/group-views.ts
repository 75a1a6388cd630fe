/** The table of groups: those that this peer is in, and those that it sees others in. */
import type { GroupView } from './group.ts'
import type { PeerId } from './protocols/core.ts'
import type { MemberView } from './protocols/membership/messages.ts'
import type { GroupFigures } from './protocols/multicast/messages.ts'

export function groupViews(
  self: PeerId,
  own: readonly GroupFigures[],
  rows: readonly MemberView[],
): readonly GroupView[] {
  const figures = new Map(own.map((group) => [group.name, group]))
  const members = new Map<string, PeerId[]>([...figures.keys()].map((name) => [name, [self]]))
  for (const { peer, self: isOwn, status, groups } of rows) {
    if (isOwn || status === 'dead' || status === 'left' || status === 'leaving') continue
    for (const name of groups) members.set(name, [...(members.get(name) ?? []), peer])
  }
  return [...members.keys()].sort().map((name) => {
    const known = figures.get(name)
    return {
      name,
      joined: known !== undefined,
      ready: known?.ready ?? null,
      members: members.get(name) ?? [],
      delivered: known?.delivered ?? 0,
      heldBack: known?.heldBack ?? 0,
      logMessages: known?.logMessages ?? 0,
      logBytes: known?.logBytes ?? 0,
    }
  })
}

/**
 * Agreement: once it is quiet, all members that are up have the same messages,
 * whatever they took over below their baselines or were told to be lost; and
 * what one of them published is among them.
 */
import type { Violation } from './history.ts'
import type { GroupLog, Life } from './multicast-groups.ts'
import { type Held, replay } from './multicast-held.ts'
import type { MulticastBounds } from './multicast-history.ts'
import type { Pasts } from './multicast-pasts.ts'

interface Target {
  readonly count: number
  readonly holder: string
}

export function checkAgreement(
  group: GroupLog,
  pasts: Pasts,
  liars: ReadonlySet<string>,
  { quietAtEnd }: MulticastBounds,
): readonly Violation[] {
  if (!quietAtEnd) return []
  const up = group.lives.filter((life) => life.up && life.entered !== undefined && !liars.has(life.peer))
  const ends = up.map((life) => [life, replay(group, life, pasts.base(life))] as const)
  return group.entries.flatMap((entry) => {
    if (liars.has(entry.sender)) return []
    const target = targetOf(entry.index, ends, ownCount(group, up, entry.name))
    return ends.flatMap(([{ peer }, held]): readonly Violation[] => {
      const hole = held.hole(entry.index, target.count)
      if (hole === undefined) return []
      const what = `${entry.name}:${hole}${hole < target.count ? ` to :${target.count}` : ''}`
      const message = `${peer} has no ${what} at the end, which ${target.holder}`
      return [{ property: 'agreement', at: group.endedAt, message }]
    })
  })
}

function targetOf(entry: number, ends: readonly (readonly [Life, Held])[], own: Target): Target {
  let target = own
  for (const [{ peer }, held] of ends) {
    const count = held.upTo[entry] ?? 0
    if (count > target.count) target = { count, holder: `${peer} has` }
  }
  return target
}

/** What the author itself, which is up and never ended since, was told to be published. */
function ownCount(group: GroupLog, up: readonly Life[], name: string): Target {
  let count = 0
  let holder = 'nobody has'
  for (const { seq, entry, publication } of group.entry(name)?.messages.values() ?? []) {
    if (publication === undefined || !publication.answered || !up.includes(publication.life)) continue
    if (seq <= count) continue
    count = seq
    holder = `${entry.sender} published`
  }
  return { count, holder }
}

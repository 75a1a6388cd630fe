/**
 * Truncation is told: what happened before something that a life delivered, and
 * never came in that life, was told to be lost. And what is told to be lost is
 * not delivered all the same.
 */
import type { Verdict, Violation } from './history.ts'
import type { GroupLog, Life } from './multicast-groups.ts'
import { type Held, replay } from './multicast-held.ts'
import type { Pasts } from './multicast-pasts.ts'

export interface TruncationFigures {
  /** Messages that some life was told to be lost, counted once a life. */
  readonly truncated: number
}

export function checkTruncation(
  group: GroupLog,
  pasts: Pasts,
  liars: ReadonlySet<string>,
): Verdict<TruncationFigures> {
  const violations: Violation[] = []
  for (const life of group.lives) {
    if (liars.has(life.peer)) continue
    const held = replay(group, life, pasts.base(life), ({ at }, { entry, seq, name }, before) => {
      if (!before.wasTold(entry.index, seq)) return
      const message = `${life.peer} delivers ${name}, which it was told to be lost`
      violations.push({ property: 'truncation', at, message })
    })
    violations.push(...silentLosses(group, pasts, life, held))
  }
  return { violations, figures: { truncated: truncated(group) } }
}

function silentLosses(group: GroupLog, pasts: Pasts, life: Life, held: Held): readonly Violation[] {
  const known = pasts.known(life)
  const at = life.events.at(-1)?.at ?? 0
  return group.entries.flatMap(({ index, name, sender }): readonly Violation[] => {
    // A life that ended may have published what nobody saw it deliver.
    if (sender === life.peer) return []
    const hole = held.hole(index, known[index] ?? 0)
    if (hole === undefined) return []
    const message = `${life.peer} never has ${name}:${hole}, on which it depends, and was not told that it is lost`
    return [{ property: 'truncation', at, message }]
  })
}

function truncated(group: GroupLog): number {
  let messages = 0
  for (const event of group.events) {
    if (event.type !== 'truncated') continue
    for (const { from, to } of event.ranges) messages += Math.max(0, to - from + 1)
  }
  return messages
}

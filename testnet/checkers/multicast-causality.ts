/**
 * Causal order: whoever delivers a message has delivered all that happened
 * before it, or has it below its baseline, or was told that it is lost. One
 * sender's epoch is the business of FIFO, and left out here.
 */
import type { Verdict, Violation } from './history.ts'
import type { GroupLog, Message } from './multicast-groups.ts'
import { type Held, replay } from './multicast-held.ts'
import type { Pasts } from './multicast-pasts.ts'

export interface CausalityFigures {
  /** Deliveries ahead of something that happened before. */
  readonly inversions: number
}

/** O(deliveries × entries), in typed arrays. */
export function checkCausality(
  group: GroupLog,
  pasts: Pasts,
  liars: ReadonlySet<string>,
): Verdict<CausalityFigures> {
  const violations: Violation[] = pasts.cycles.map(({ at, message }) => ({
    property: 'causal-order',
    at,
    message: `${message.name} was known before it was published`,
  }))
  let inversions = 0
  for (const life of group.lives) {
    if (liars.has(life.peer)) continue
    replay(group, life, pasts.base(life), ({ at }, message, held) => {
      const missing = missingOf(group, message, pasts.of(message).counts, held)
      if (missing === undefined) return
      inversions++
      const text = `${life.peer} delivers ${message.name} before ${missing}, which happened before it`
      violations.push({ property: 'causal-order', at, message: text })
    })
  }
  return { violations, figures: { inversions } }
}

function missingOf(group: GroupLog, message: Message, counts: Int32Array, held: Held): string | undefined {
  const { upTo } = held
  for (let index = 0; index < counts.length; index++) {
    const count = counts[index] ?? 0
    if (count <= (upTo[index] ?? 0) || index === message.entry.index) continue
    const hole = held.hole(index, count)
    if (hole !== undefined) return `${group.entries[index]?.name}:${hole}`
  }
  return undefined
}

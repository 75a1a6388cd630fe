/**
 * Vectors: where one is given as whole, it is the message's past, entry by entry.
 * It may leave out an entry of an older epoch that a newer one implies. Judged
 * only where the history shows that whole past.
 */
import type { Verdict, Violation } from './history.ts'
import type { GroupLog, Message } from './multicast-groups.ts'
import type { MulticastEvent } from './multicast-history.ts'
import type { Pasts } from './multicast-pasts.ts'

export interface VectorFigures {
  readonly vectors: number
}

/** O(vectors × entries). */
export function checkVectors(
  group: GroupLog,
  pasts: Pasts,
  liars: ReadonlySet<string>,
): Verdict<VectorFigures> {
  const violations: Violation[] = []
  let vectors = 0
  for (const { peer, events, messages } of group.lives) {
    if (liars.has(peer)) continue
    for (const [index, event] of events.entries()) {
      const message = messages[index]
      const vector = message && vectorOf(event)
      if (message === undefined || vector === undefined) continue
      const { exact, counts } = pasts.of(message)
      if (!exact) continue
      vectors++
      const fault = difference(group, pasts, message, counts, vector)
      if (fault === undefined) continue
      const text = `${peer} shows ${message.name} with a vector that has ${fault}`
      violations.push({ property: 'vectors', at: event.at, message: text })
    }
  }
  return { violations, figures: { vectors } }
}

/** The one that is said to be whole. */
function vectorOf(event: MulticastEvent): Readonly<Record<string, number>> | undefined {
  if (event.type === 'published') return event.vector
  return event.type === 'delivered' && event.vectorExact !== false ? event.vector : undefined
}

function difference(
  group: GroupLog,
  pasts: Pasts,
  message: Message,
  counts: Int32Array,
  vector: Readonly<Record<string, number>>,
): string | undefined {
  let present = 0
  for (const name in vector) {
    const entry = group.entry(name)
    const is = vector[name] ?? 0
    const should = entry === undefined ? 0 : (counts[entry.index] ?? 0)
    if (is !== should) return `${is} of ${name}, and should have ${should}`
    if (should > 0) present++
  }
  let expected = 0
  for (let index = 0; index < counts.length; index++) {
    if ((counts[index] ?? 0) > 0) expected++
  }
  if (present === expected) return undefined
  for (const entry of group.entries) {
    const should = counts[entry.index] ?? 0
    if (should === 0 || vector[entry.name] !== undefined) continue
    if (entry !== message.entry && pasts.implied(counts, entry) >= should) continue
    return `no ${entry.name}, and should have ${should}`
  }
  return undefined
}

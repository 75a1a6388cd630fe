/**
 * Lamport time: above that of everything that happened before; one above the
 * highest, exactly, where the history shows all of it; and the same for everybody.
 */
import type { Violation } from './history.ts'
import type { GroupLog } from './multicast-groups.ts'
import type { Pasts } from './multicast-pasts.ts'

const property = 'lamport'

export function checkLamport(
  group: GroupLog,
  pasts: Pasts,
  liars: ReadonlySet<string>,
): readonly Violation[] {
  const violations: Violation[] = []
  for (const message of group.messages) {
    const { entry, publication, lamport, name } = message
    if (publication === undefined || liars.has(entry.sender)) continue
    const past = pasts.of(message)
    const fits = past.lamportExact ? lamport === past.lamport + 1 : lamport > past.lamport
    if (fits) continue
    const bound = past.lamportExact ? `${past.lamport + 1}` : `above ${past.lamport}`
    violations.push({
      property,
      at: publication.at,
      message: `${name} has Lamport time ${lamport} and should have ${bound}`,
    })
  }
  for (const { peer, events, messages } of group.lives) {
    if (liars.has(peer)) continue
    for (const [index, event] of events.entries()) {
      const message = messages[index]
      if (event.type !== 'delivered' || message === undefined || event.lamport === message.lamport) continue
      if (liars.has(event.sender)) continue
      const text = `${peer} delivers ${message.name} with Lamport time ${event.lamport}, which has ${message.lamport}`
      violations.push({ property, at: event.at, message: text })
    }
  }
  return violations
}

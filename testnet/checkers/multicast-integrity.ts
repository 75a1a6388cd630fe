/**
 * Integrity: nothing is delivered that nobody published, nothing twice in one
 * life, no dot has two contents, in no life of anybody; positions in a log have
 * no holes. A liar's dots may have two contents, but nobody delivers two of them.
 */
import type { Violation } from './history.ts'
import type { GroupLog, Life, Message } from './multicast-groups.ts'
import { type Held, replay } from './multicast-held.ts'
import type { MulticastEvent } from './multicast-history.ts'
import type { Pasts } from './multicast-pasts.ts'

const property = 'integrity'

export function checkIntegrity(
  group: GroupLog,
  pasts: Pasts,
  liars: ReadonlySet<string>,
): readonly Violation[] {
  const violations = [...publications(group, liars), ...attempts(group)]
  for (const life of group.lives) {
    if (!liars.has(life.peer)) violations.push(...deliveries(group, pasts, life, liars))
  }
  return violations
}

/** A dot, and an epoch, is used once; and nobody honest is convicted. */
function publications(group: GroupLog, liars: ReadonlySet<string>): readonly Violation[] {
  const violations: Violation[] = []
  const complain = (at: number, message: string): void => void violations.push({ property, at, message })
  const epochs = new Map<string, number>()
  for (const { peer, number, events, messages } of group.lives) {
    for (const [index, event] of events.entries()) {
      if (event.type === 'equivocation' && !liars.has(event.sender)) {
        complain(event.at, `${peer} has proof of two contents of ${dotOf(event)}, whose author is honest`)
      }
      const message = messages[index]
      if (event.type !== 'published' || message === undefined || liars.has(peer)) continue
      const { name, publication, entry } = message
      if (publication?.event !== event) complain(event.at, `${name} was published twice`)
      const earlier = epochs.get(entry.name) ?? number
      epochs.set(entry.name, earlier)
      if (earlier !== number) {
        complain(event.at, `${peer} uses epoch ${entry.epoch} in life ${number}, and did in life ${earlier}`)
      }
    }
  }
  return violations
}

/** What was asked for once exists at most once. */
function attempts(group: GroupLog): readonly Violation[] {
  const violations: Violation[] = []
  const made = new Map<string, Message[]>()
  for (const message of group.messages) {
    if (message.publication?.answered !== false) continue
    const key = `${message.entry.sender}\n${message.content}`
    const same = made.get(key) ?? []
    made.set(key, same)
    same.push(message)
    if (same.length > group.attempts(message.entry.sender, message.content)) {
      const names = same.map(({ name }) => name).join(' and ')
      violations.push({
        property,
        at: message.publication.at,
        message: `one publication without an answer became ${names}`,
      })
    }
  }
  return violations
}

function deliveries(
  group: GroupLog,
  pasts: Pasts,
  life: Life,
  liars: ReadonlySet<string>,
): readonly Violation[] {
  const violations: Violation[] = []
  let position: number | undefined
  replay(group, life, pasts.base(life), (event, message, held) => {
    const { at, index } = event
    const complain = (what: string): void => {
      violations.push({ property, at, message: `${life.peer} delivers ${message.name}${what}` })
    }
    if (position !== undefined && index !== position + 1) complain(` at ${index}, after ${position}`)
    position = index
    if (!liars.has(event.sender)) {
      if (message.publication === undefined) complain(', which nobody published')
      else if (message.content !== event.content) complain(' with another content than it was published with')
    }
    const fault = repeated(message, held, pasts.base(life))
    if (fault !== undefined) complain(fault)
  })
  return violations
}

function repeated({ entry, seq }: Message, held: Held, base: Int32Array): string | undefined {
  if (seq <= (base[entry.index] ?? 0)) return ', which is not above its baseline'
  if (!held.has(entry.index, seq) || held.wasTold(entry.index, seq)) return undefined
  return ' twice'
}

function dotOf({ sender, epoch, seq }: Extract<MulticastEvent, { type: 'equivocation' }>): string {
  return `${sender}#${epoch}:${seq}`
}

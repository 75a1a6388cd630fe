/**
 * Baselines: what a life takes over as delivered is closed, that is it holds all
 * that happened before what it holds. And one that returns on its disk takes over
 * no more than what was published before it ended: the rest it has to deliver.
 */
import type { Violation } from './history.ts'
import type { GroupLog, Life } from './multicast-groups.ts'
import type { Pasts } from './multicast-pasts.ts'

const property = 'baseline'

export function checkBaselines(
  group: GroupLog,
  pasts: Pasts,
  liars: ReadonlySet<string>,
): readonly Violation[] {
  return group.lives.flatMap((life) => {
    if (life.entered === undefined || liars.has(life.peer)) return []
    return [
      ...notClosed(group, pasts, life, life.entered.at),
      ...skipped(group, pasts, life, life.entered.at),
    ]
  })
}

function notClosed(group: GroupLog, pasts: Pasts, life: Life, at: number): readonly Violation[] {
  const base = pasts.base(life)
  const closure = pasts.closure(life)
  return group.entries.flatMap(({ index, name }): readonly Violation[] => {
    const has = base[index] ?? 0
    const needs = closure[index] ?? 0
    if (has >= needs) return []
    const message = `${life.peer} enters with ${has} of ${name}, and with messages that ${needs} of them happened before`
    return [{ property, at, message }]
  })
}

function skipped(group: GroupLog, pasts: Pasts, life: Life, at: number): readonly Violation[] {
  const end = life.previous?.end
  if (end === undefined || end.how === 'left' || life.forgetful) return []
  const base = pasts.base(life)
  return group.entries.flatMap(({ index, messages, name }): readonly Violation[] => {
    const count = base[index] ?? 0
    const publication = messages.get(count)?.publication
    if (publication === undefined || publication.at <= end.at) return []
    const message = `${life.peer} returns with ${count} of ${name} as delivered, which was published after it had ended`
    return [{ property, at, message }]
  })
}

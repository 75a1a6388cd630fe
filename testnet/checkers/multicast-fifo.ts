/** FIFO: of one sender's epoch each life delivers what is above its baseline in order, without holes that it was not told of. */
import type { Violation } from './history.ts'
import type { GroupLog } from './multicast-groups.ts'
import { replay } from './multicast-held.ts'
import type { Pasts } from './multicast-pasts.ts'

export function checkFifo(group: GroupLog, pasts: Pasts, liars: ReadonlySet<string>): readonly Violation[] {
  const violations: Violation[] = []
  for (const life of group.lives) {
    if (liars.has(life.peer)) continue
    replay(group, life, pasts.base(life), ({ at }, { entry, seq, name }, held) => {
      const hole = held.hole(entry.index, seq - 1)
      if (hole === undefined) return
      const message = `${life.peer} delivers ${name} before ${entry.name}:${hole}`
      violations.push({ property: 'fifo', at, message })
    })
  }
  return violations
}

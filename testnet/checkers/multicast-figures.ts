/** How much, and how fast: figures of a group's history for people. */
import type { GroupLog, Life } from './multicast-groups.ts'
import type { Pasts } from './multicast-pasts.ts'

/** A peer that returned to a group, and how long it took to have what it had missed. */
export interface CatchUp {
  readonly peer: string
  readonly life: number
  readonly group: string
  /** Messages published before it entered again that it delivered then. */
  readonly missed: number
  /** From `entered` to the last of them, ms. */
  readonly ms: number
}

export interface GroupFigures {
  readonly messages: number
  readonly deliveries: number
  /** From a publication to each delivery by a life that was in the group by then, ms. */
  readonly waitsMs: readonly number[]
  readonly catchUps: readonly CatchUp[]
}

export function groupFigures(group: GroupLog, pasts: Pasts, liars: ReadonlySet<string>): GroupFigures {
  const waitsMs: number[] = []
  const catchUps: CatchUp[] = []
  let deliveries = 0
  for (const life of group.lives) {
    if (liars.has(life.peer)) continue
    const enteredAt = life.entered?.at ?? 0
    const late: number[] = []
    for (const [index, event] of life.events.entries()) {
      if (event.type !== 'delivered') continue
      deliveries++
      const publication = life.messages[index]?.publication
      if (publication === undefined) continue
      if (publication.at < enteredAt) late.push(event.at - enteredAt)
      else if (event.sender !== life.peer) waitsMs.push(event.at - publication.at)
    }
    if (returns(life, pasts)) catchUps.push(catchUp(group, life, late))
  }
  const messages = group.messages.filter(({ publication }) => publication !== undefined).length
  return { messages, deliveries, waitsMs, catchUps }
}

function catchUp(group: GroupLog, { peer, number }: Life, late: readonly number[]): CatchUp {
  return { peer, life: number, group: group.name, missed: late.length, ms: late.at(-1) ?? 0 }
}

/** On a disk that remembers the group. */
function returns(life: Life, pasts: Pasts): boolean {
  return life.previous !== undefined && pasts.base(life).some((count) => count > 0)
}

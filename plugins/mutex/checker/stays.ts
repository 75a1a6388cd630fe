/** Who held each lock, from when until when. */
import type { MutexEvent, StayEvent, Violation } from './history.ts'

type Entered = Extract<StayEvent, { type: 'entered' }>
type Left = Extract<StayEvent, { type: 'left' }>

/** An instant, and the place in the sorted history, which orders what happened at one instant. */
export interface Moment {
  readonly at: number
  readonly place: number
}

/** From `entered` to `left`, or to when the right of it ran out. */
export interface Stay {
  readonly entered: Entered
  readonly from: Moment
  left: Left | undefined
  /** Of `left`; never while there is none. */
  to: Moment
  /** When its right ends by its own reckoning, true time; Infinity where that is not recorded. */
  until: number
}

const never: Moment = { at: Number.POSITIVE_INFINITY, place: Number.POSITIVE_INFINITY }

/** When it is not inside any more. A right that ends at an instant has ended before all that happens then. */
export function endOf({ to, until }: Stay): Moment {
  const expiry = { at: until, place: -1 }
  return isBefore(expiry, to) ? expiry : to
}

export function isBefore(one: Moment, other: Moment): boolean {
  return one.at < other.at || (one.at === other.at && one.place < other.place)
}

export function describeStay({ entered: { lock, peer, life, token } }: Stay): string {
  return `${peer}.${life} in ${lock} with token ${token}`
}

export interface StayLog {
  /** Of each lock, in the order of entry. */
  readonly byLock: ReadonlyMap<string, readonly Stay[]>
  readonly violations: readonly Violation[]
}

/** `history` is in order; finds what contradicts itself. */
export function readStays(history: readonly MutexEvent[]): StayLog {
  const byLock = new Map<string, Stay[]>()
  const inside = new Map<string, Stay>()
  const violations: Violation[] = []
  for (const [place, event] of history.entries()) {
    if (event.type !== 'entered' && event.type !== 'renewed' && event.type !== 'left') continue
    const { at, lock } = event
    const key = keyOf(event)
    const stay = inside.get(key)
    if (event.type === 'entered') {
      const { until = Number.POSITIVE_INFINITY } = event
      const entry: Stay = { entered: event, from: { at, place }, left: undefined, to: never, until }
      if (!byLock.has(lock)) byLock.set(lock, [])
      byLock.get(lock)?.push(entry)
      inside.set(key, entry)
    } else if (stay === undefined) {
      const message = `${event.peer}.${event.life} ${event.type} ${lock} with token ${event.token}, and is not in it`
      violations.push({ property: 'recording', at, message })
    } else if (event.type === 'left') {
      stay.left = event
      stay.to = { at, place }
      inside.delete(key)
    } else if (stay.until <= at) {
      const message = `${describeStay(stay)} goes on after its time ran out at ${stay.until}`
      violations.push({ property: 'expiry', at, message })
      inside.delete(key)
    } else {
      stay.until = event.until
    }
  }
  return { byLock, violations }
}

function keyOf({ lock, peer, life, token }: StayEvent): string {
  return `${lock}\n${peer}\n${life}\n${token}`
}

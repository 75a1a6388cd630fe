/**
 * Overtaking: once a request is at a quorum, hardly anybody who asks later enters
 * before it.
 *
 * Counted are entries with requests that were *asked* after it was at a quorum.
 * One that was asked before and entered afterwards may have had its votes on the
 * way; and with the clock of those very votes, which have not seen the waiting
 * request, its caller may ask once more with a lower timestamp. The votes of that
 * second entry come from a quorum that has seen the waiting one, and a third would
 * have to come after it: so with Lamport clocks that are merged the figure is at
 * most 1, and without it has no bound.
 *
 * A waiter that is not heard for a while is passed over by right. So a history that
 * says when it was calm is judged by its calms alone.
 */
import type { MutexBounds, Violation } from './history.ts'
import { callerOf, describeRequest, type Request } from './requests.ts'
import type { Period, Scene } from './scene.ts'

const always: readonly Period[] = [{ from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }]

export interface OvertakingFigures {
  /** The most that one caller did to one request; null where nobody recorded when a request was at a quorum. */
  readonly overtaking: number | null
}

export function checkOvertaking(
  requests: ReadonlyMap<number, Request>,
  scene: Scene,
  bounds: MutexBounds,
): { readonly violations: readonly Violation[]; readonly figures: OvertakingFigures } {
  const violations: Violation[] = []
  const entries = entriesByLock(requests)
  let most: number | null = null
  for (const request of requests.values()) {
    const { queuedAt } = request
    if (queuedAt === undefined) continue
    for (const { from, to } of scene.calms ?? always) {
      const wait = { from: Math.max(from, queuedAt), to: Math.min(to, endOfWait(request)) }
      if (wait.from >= wait.to) continue
      const counts = overtakers(request, wait, entries.get(request.asked.lock) ?? [])
      most = Math.max(most ?? 0, ...counts.values())
      for (const [caller, count] of counts) {
        if (count <= bounds.overtaking) continue
        const message = `${caller} asks and enters ${count} times while ${describeRequest(request)} is at a quorum`
        violations.push({ property: 'overtaking', at: wait.from, message })
      }
    }
  }
  return { violations, figures: { overtaking: most } }
}

/** How often each other caller asked and entered within that part of the wait. */
function overtakers(
  request: Request,
  { from, to }: Period,
  entries: readonly Request[],
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const entry of entriesBetween(entries, from, to)) {
    const caller = callerOf(entry)
    if (entry.asked.at <= from || caller === callerOf(request)) continue
    counts.set(caller, 1 + (counts.get(caller) ?? 0))
  }
  return counts
}

/** Until it enters, gives up or is gone; Infinity while it waits. */
function endOfWait({ stay, answered, goneAt }: Request): number {
  return stay?.entered.at ?? Math.min(answered?.at ?? Number.POSITIVE_INFINITY, goneAt)
}

/** Requests that entered, in the order in which they did. */
function entriesByLock(requests: ReadonlyMap<number, Request>): ReadonlyMap<string, readonly Request[]> {
  const byLock = new Map<string, Request[]>()
  for (const request of requests.values()) {
    if (request.stay === undefined) continue
    const { lock } = request.asked
    if (!byLock.has(lock)) byLock.set(lock, [])
    byLock.get(lock)?.push(request)
  }
  for (const entries of byLock.values()) entries.sort((a, b) => enteredAt(a) - enteredAt(b))
  return byLock
}

function* entriesBetween(entries: readonly Request[], from: number, before: number): Generator<Request> {
  let low = 0
  for (let high = entries.length; low < high; ) {
    const middle = (low + high) >> 1
    if (enteredAt(entries[middle]) < from) low = middle + 1
    else high = middle
  }
  for (let index = low; index < entries.length; index++) {
    const entry = entries[index]
    if (entry === undefined || enteredAt(entry) >= before) return
    yield entry
  }
}

function enteredAt(request: Request | undefined): number {
  return request?.stay?.entered.at ?? Number.POSITIVE_INFINITY
}

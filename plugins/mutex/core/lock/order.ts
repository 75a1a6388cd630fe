/**
 * The order in which requests are served, the same at every arbiter: by Lamport
 * timestamp, and where two bear the same one, by peer and number.
 *
 * - Lamport 1978, Time, Clocks, and the Ordering of Events in a Distributed System
 */
import type { RequestId } from '../electorate/messages.ts'
import type { GrantNumber, SessionId } from '../messages.ts'

export interface Ordered {
  readonly request: RequestId
  readonly timestamp: number
}

/** Negative when `a` comes first. */
export function compareRequests(a: Ordered, b: Ordered): number {
  if (a.timestamp !== b.timestamp) return a.timestamp - b.timestamp
  if (a.request.peer !== b.request.peer) return a.request.peer < b.request.peer ? -1 : 1
  return compareNumbers(a.request, b.request)
}

/** By generation, then counter. */
export function compareNumbers(
  a: RequestId | GrantNumber | SessionId,
  b: RequestId | GrantNumber | SessionId,
): number {
  return a.generation === b.generation ? a.counter - b.counter : a.generation - b.generation
}

/** As a key of maps. */
export type RequestKey = string & { readonly __brand: 'RequestKey' }

export function keyOf({ peer, generation, counter }: RequestId): RequestKey {
  return `${peer}/${generation}/${counter}` as RequestKey
}

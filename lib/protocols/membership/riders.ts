/**
 * Riders: what other protocols want carried with heartbeats. A protocol that
 * has to tell each member something small each second needs no messages of its
 * own for it, and no timer: clocks and the digests of multicast ride along.
 */
import type { Instant, PeerId } from '../core.ts'
import { packetLimits } from './codec.ts'
import type { Rider } from './messages.ts'

/** Who wants something carried. */
export interface RiderSource {
  /** One of `riderKinds`. */
  readonly kind: number
  /** Called when a ping or ack for `to` is built; at most 12 KiB, or undefined for nothing this time. */
  readonly body: (to: PeerId, now: Instant) => Uint8Array | undefined
}

/** What rides with a heartbeat to `to`. Beyond a limit the receiver would drop the heartbeat, so that is a bug here. */
export function ridersFor(sources: readonly RiderSource[], to: PeerId, now: Instant): Rider[] {
  if (sources.length > packetLimits.riders) throw new Error(`${sources.length} sources of riders`)
  return sources.flatMap(({ kind, body: bodyFor }) => {
    const body = bodyFor(to, now)
    if (body === undefined) return []
    if (body.length > packetLimits.riderBytes) throw new Error(`a rider ${kind} of ${body.length} bytes`)
    return [{ kind, body }]
  })
}

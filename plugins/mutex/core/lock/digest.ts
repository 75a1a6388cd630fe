/** Which votes a peer holds at an arbiter, in a few bytes: both sides reckon it of their own books. */
import type { VoteName } from '../messages.ts'

/**
 * 16 hexadecimal digits; of any order. A sum of FNV-1a hashes, two of 32 bits: it tells books apart that
 * differ by mistake. Nobody gains by a collision, for a peer could only extend what is its own.
 */
export function digestOf(votes: Iterable<VoteName>): string {
  let low = 0
  let high = 0
  for (const { request, grant } of votes) {
    const text = `${request.generation}/${request.counter}/${grant.generation}/${grant.counter}`
    low = (low + fnv(text, 0x811c9dc5)) >>> 0
    high = (high + fnv(text, 0x050c5d1f)) >>> 0
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
}

function fnv(text: string, offset: number): number {
  let hash = offset
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

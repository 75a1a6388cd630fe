/** A round trip to every member that is not gone, some of them at a time. */
import type { NoAnswerError, Pong } from '../../lib/index.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { PeerPort } from '../peer-port.ts'
import { toRows } from './member-rows.ts'
import type { MemberRow, ReachabilityAnswer, ReachabilityRow } from './schemas.ts'

/** Round trips under way; each may cost a handshake. */
const maxConcurrent = 32

/** Of the whole: who was not asked by then is not. Clients wait a little longer. */
export const reachabilityLimitMs = 120_000

/** `timeoutMs` for each answer. Rejects only with the reason of `signal`. */
export async function reachability(
  peer: Pick<PeerPort, 'members' | 'ping'>,
  timeoutMs: number,
  signal: AbortSignal,
  limitMs: number = reachabilityLimitMs,
): Promise<ReachabilityAnswer> {
  const rows = toRows(peer.members()).filter(({ self }) => !self)
  const asked = rows.filter(({ status }) => status === 'alive' || status === 'suspect')
  const whole = AbortSignal.any([signal, AbortSignal.timeout(limitMs)])
  const members: ReachabilityRow[] = new Array(asked.length)
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < asked.length; at = next++) {
      const row = asked[at]
      if (row !== undefined) members[at] = told(row, await ask(peer, row.peerId, timeoutMs, whole))
    }
  }
  await Promise.all(Array.from({ length: Math.min(maxConcurrent, asked.length) }, work))
  signal.throwIfAborted()
  const answered = members.filter(({ rttMs }) => rttMs !== null).length
  return { asked: asked.length, answered, gone: rows.length - asked.length, members }
}

async function ask(
  peer: Pick<PeerPort, 'ping'>,
  peerId: string,
  timeoutMs: number,
  whole: AbortSignal,
): Promise<Pong | string> {
  if (whole.aborted) return 'not-asked'
  const time = AbortSignal.timeout(timeoutMs)
  try {
    return await peer.ping(peerId, { signal: AbortSignal.any([whole, time]) })
  } catch (error) {
    if (isNoAnswer(error)) return error.reason
    if (time.aborted) return 'timeout'
    if (whole.aborted) return 'not-asked'
    if (error instanceof P2pdError) return error.message
    throw error
  }
}

function told(row: MemberRow, outcome: Pong | string): ReachabilityRow {
  const { peerId, name, status, detail, since, accusers } = row
  const known = { peerId, name, status, detail, since, accusers }
  if (typeof outcome === 'string') return { ...known, rttMs: null, path: null, why: outcome }
  return { ...known, rttMs: Math.round(outcome.rttMs * 1000) / 1000, path: outcome.path ?? null, why: null }
}

/** By its code: importing the class would load the whole library before it is needed. */
function isNoAnswer(error: unknown): error is NoAnswerError {
  return error instanceof P2pdError && error.code === 'ERR_NO_ANSWER'
}

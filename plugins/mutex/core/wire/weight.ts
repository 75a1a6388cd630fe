/** How long items are at most on the wire, to be known before a frame is too long: who sends it would break off. */
import type { AnsweringItem, AskingItem, Evidence, Listed, PeerItem, SignedVotes } from '../messages.ts'

// Upper bounds, of the longest numbers and peer ids.
const numberBytes = 9
const peerBytes = 67
const requestBytes = 3 + 2 * numberBytes + peerBytes
const grantBytes = 2 + 2 * numberBytes
const voteBytes = 3 + requestBytes + grantBytes
/** An item and the message in it, each with the head of a field, and six numbers. */
const itemBytes = 2 * 6 + 6 * numberBytes
const ballotBytes = 3 + 2 * numberBytes + peerBytes
const signatureBytes = 67
const decisionBytes = 3 + 2 * (3 + 7 * peerBytes)
const acceptBytes = 3 + peerBytes + signatureBytes

/** At least what the item adds to a frame, and little more. */
export function weightOf(item: AskingItem | AnsweringItem | PeerItem): number {
  return itemBytes + bodyWeight(item)
}

/** How many items from the first on have at most `bytes` together; at least one, if there is any. */
export function fitting(items: readonly (AskingItem | AnsweringItem | PeerItem)[], bytes: number): number {
  let weight = 0
  for (const [i, item] of items.entries()) {
    weight += weightOf(item)
    if (weight > bytes && i > 0) return i
  }
  return items.length
}

function bodyWeight(item: AskingItem | AnsweringItem | PeerItem): number {
  switch (item.type) {
    case 'sync':
      return sum(item.requests, listedWeight)
    case 'request':
      return listedWeight(item.request)
    case 'renew-each':
      return item.votes.length * voteBytes
    case 'renewed':
      return item.refused.length * voteBytes
    case 'confirm':
    case 'relinquish':
    case 'grant':
    case 'inquire':
    case 'confirmed':
      return voteBytes
    case 'release':
      return requestBytes + nameBytes(item.lock) + sum(item.grants, evidenceWeight)
    case 'cancel':
      return requestBytes + nameBytes(item.lock)
    case 'answer':
    case 'refused':
      return requestBytes
    case 'signed':
      return signedWeight(item.votes)
    case 'ping':
    case 'renew':
    case 'renew-mismatch':
    case 'reset':
    case 'unavailable':
    case 'ready?':
    case 'ready':
    case 'fetch':
    case 'installed':
    case 'want':
    case 'start':
    case 'start-answer':
      return 0
    case 'inspect':
      return nameBytes(item.lock ?? '')
    case 'inspected':
      return sum(
        item.locks,
        ({ lock, waiters }) => itemBytes + nameBytes(lock) + requestBytes + waiters.length * peerBytes,
      )
    case 'head':
    case 'wish':
      return peerBytes
    case 'wish-answer':
      return item.reason.length
    case 'chain':
      return (
        4 * peerBytes +
        signatureBytes +
        sum(
          item.links,
          ({ accepts }) => itemBytes + ballotBytes + decisionBytes + accepts.length * acceptBytes,
        )
      )
    case 'prepare':
    case 'promise':
    case 'accept':
      return 2 * ballotBytes + decisionBytes
    case 'objection':
      return ballotBytes + item.reason.length
    case 'preempted':
    case 'accepted':
      return ballotBytes + Math.max(ballotBytes, acceptBytes)
    case 'report':
    case 'copy':
      return sum(item.report.grants, ({ lock }) => 3 + nameBytes(lock) + requestBytes + numberBytes)
  }
}

function listedWeight({ lock }: Listed): number {
  return 3 + requestBytes + nameBytes(lock) + grantBytes + 4 * numberBytes
}

function evidenceWeight({ signed }: Evidence): number {
  return 4 + peerBytes + grantBytes + numberBytes + (signed === undefined ? 0 : signedWeight(signed))
}

function signedWeight({ bytes, signature }: SignedVotes): number {
  return 4 + 4 + bytes.length + 3 + signature.length
}

/** A character of UTF-16 is at most three bytes of UTF-8. */
function nameBytes(name: string): number {
  return 3 + Math.min(256, 3 * name.length)
}

function sum<T>(list: readonly T[], weigh: (element: T) => number): number {
  let total = 0
  for (const element of list) total += weigh(element)
  return total
}

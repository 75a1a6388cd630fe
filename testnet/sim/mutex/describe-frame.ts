import type { RequestId } from '../../../plugins/mutex/core/electorate/messages.ts'
import type {
  AnsweringItem,
  AskingItem,
  Frame,
  PeerItem,
  VoteName,
} from '../../../plugins/mutex/core/messages.ts'

/** A frame in a line, for people. */
export function describeFrame({ version, clock, stamp, asking, answering, items }: Frame): string {
  const parts = [`v${version} clock ${clock}`]
  if (stamp !== undefined) parts.push(`stamp ${short(stamp.generation)}.${stamp.write}`)
  if (asking !== undefined) {
    const { session, seq, ack } = asking
    const said = asking.items.map(describeAsking).join(', ')
    parts.push(`ask ${short(session.generation)}.${session.counter}:${seq}/${ack} [${said}]`)
  }
  if (answering !== undefined) {
    const { session, seq, ack } = answering
    const said = answering.items.map(describeAnswering).join(', ')
    parts.push(`answer ${short(session.generation)}.${session.counter}:${seq}/${ack} [${said}]`)
  }
  if (items.length > 0) parts.push(`items [${items.map(describeItem).join(', ')}]`)
  return parts.join(' ')
}

function describeAsking(item: AskingItem): string {
  switch (item.type) {
    case 'sync': {
      const listed = item.requests.map(
        ({ request, lock, grant, token }) =>
          `${named(request)} ${lock} vote ${grant === undefined ? '-' : `${short(grant.generation)}.${grant.counter}`} token ${token}`,
      )
      return `sync v${item.version} {${listed.join('; ')}}`
    }
    case 'request':
      return `request ${named(item.request.request)} ${item.request.lock} at ${item.request.timestamp}`
    case 'confirm':
      return `confirm ${vote(item.vote)} token ${item.token}`
    case 'relinquish':
      return `relinquish ${vote(item.vote)}`
    case 'release':
      return `release ${named(item.request)} ${item.lock} token ${item.token}`
    case 'cancel':
      return `cancel ${named(item.request)}`
    case 'renew-each':
      return `renew-each ${item.votes.map(vote).join(' ')}`
    case 'ping':
    case 'renew':
      return item.type
    default:
      return item satisfies never
  }
}

function describeAnswering(item: AnsweringItem): string {
  switch (item.type) {
    case 'grant':
      return `grant ${vote(item.vote)} proposal ${item.proposal} base ${item.base}`
    case 'inquire':
      return `inquire ${vote(item.vote)}`
    case 'confirmed':
      return `confirmed ${vote(item.vote)} token ${item.token}`
    case 'answer':
      return `${item.answer.type} ${named(item.request)}`
    case 'renewed':
      return `renewed base ${item.base} but [${item.refused.map(vote).join(' ')}]`
    case 'refused':
      return `refused ${named(item.request)} ${item.reason}`
    case 'unavailable':
      return `unavailable ${item.reason}`
    case 'renew-mismatch':
    case 'reset':
    case 'signed':
      return item.type
    default:
      return item satisfies never
  }
}

function describeItem(item: PeerItem): string {
  const text = JSON.stringify(item, (key, value: unknown) => {
    if (key === 'signature' || key === 'accepts' || key === 'charter') return undefined
    return value instanceof Uint8Array ? `${value.length} bytes` : value
  })
  return text.length > 400 ? `${text.slice(0, 400)}…` : text
}

function vote({ request, grant }: VoteName): string {
  return `${named(request)}@${short(grant.generation)}.${grant.counter}`
}

function named({ peer, generation, counter }: RequestId): string {
  return `${peer}#${short(generation)}.${counter}`
}

/** Generations are wall-clock times: their end tells them apart. */
function short(generation: number): number {
  return generation % 1_000_000
}

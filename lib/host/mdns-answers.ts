/** What is asked and answered on the local network, and what is taken of it (RFC 6762, RFC 6763; as libp2p's discovery/mdns). */
import { createHash } from 'node:crypto'
import type { PeerId } from '../protocols/core.ts'
import { maxAddresses } from '../wire/limits.ts'
import { readAddress } from './addresses.ts'

/** A peer that says it is there: to be dialled, and to prove then that it belongs here. */
export interface Neighbour {
  readonly peer: PeerId
  /** Without `/p2p/ID`. */
  readonly address: string
}

interface Answer {
  readonly name: string
  readonly type: string
  readonly data?: unknown
}

const prefix = 'dnsaddr='
/** Of a string in a TXT record, RFC 6763 §6.1. */
const maxTextBytes = 255

/** Of the cluster's id, so that no other cluster is asked; who does not know the id learns nothing of it, let alone of the secret. */
export function serviceOf(cluster: string): string {
  const hash = createHash('sha256').update(`p2pd mdns\0${cluster}`).digest('hex')
  return `${hash.slice(0, 16)}._p2pd._udp.local`
}

export function answersOf(service: string, instance: string, self: PeerId, addresses: readonly string[]) {
  const name = `${instance}.${service}`
  const texts = addresses.slice(0, maxAddresses).map((address) => `${prefix}${address}/p2p/${self}`)
  return [
    { name: service, type: 'PTR', ttl: 120, data: name } as const,
    ...texts
      .filter((data) => data.length <= maxTextBytes)
      .map((data) => ({ name, type: 'TXT', ttl: 120, data }) as const),
  ]
}

/**
 * The peers that answer for `service`, at most `maxAddresses` of them. An answer is taken only
 * for the machine that it came from: nobody can have others dial where they like.
 */
export function neighboursIn(
  answers: readonly Answer[],
  service: string,
  source: string,
): readonly Neighbour[] {
  if (!answers.some(({ type, name }) => type === 'PTR' && name === service)) return []
  const found: Neighbour[] = []
  for (const answer of answers.slice(0, 4 * maxAddresses)) {
    if (answer.type !== 'TXT' || !answer.name.endsWith(`.${service}`)) continue
    const neighbour = neighbourIn(answer.data, source)
    if (neighbour !== undefined && found.length < maxAddresses) found.push(neighbour)
  }
  return found
}

function neighbourIn(data: unknown, source: string): Neighbour | undefined {
  const [first] = Array.isArray(data) ? data : [data]
  const text = first instanceof Uint8Array ? new TextDecoder().decode(first.subarray(0, maxTextBytes)) : first
  if (typeof text !== 'string' || !text.startsWith(prefix)) return undefined
  const address = readAddress(text.slice(prefix.length))
  if (address?.peer === undefined || address.host !== source || address.port === 0) return undefined
  return { peer: address.peer, address: `/${address.family}/${address.host}/tcp/${address.port}` }
}

/**
 * The chain on disk: the charter, a record a link, and the chains of electorates
 * that were given up, which members that come late have to follow.
 */
import { decodeChain, decodeLink, encodeChain, encodeLink } from '../records.ts'
import { ProvenChain } from './chain.ts'
import { electorateKeys } from './keeping.ts'
import type { Chain, ElectorateId, Link } from './messages.ts'
import type { Standing } from './standing.ts'

/** Electorates that were given up, at one peer. */
const mostGone = 32

export class ChainStore {
  readonly #standing: Standing
  readonly #gone = new Map<ElectorateId, ProvenChain>()

  constructor(standing: Standing) {
    this.#standing = standing
  }

  /** Throws `P2pdError` ERR_STORE_CORRUPT. */
  start(): ProvenChain | undefined {
    const { host } = this.#standing
    for (const [key, bytes] of host.durable) {
      if (!key.startsWith(electorateKeys.gonePrefix)) continue
      const gone = this.#restore(decodeChain(bytes), [])
      this.#gone.set(gone.id, gone)
    }
    const charter = host.durable.get(electorateKeys.charter)
    if (charter === undefined) return undefined
    const links: Link[] = []
    for (let version = 1; ; version++) {
      const bytes = host.durable.get(electorateKeys.link(version))
      if (bytes === undefined) break
      links.push(decodeLink(bytes))
    }
    return this.#restore(decodeChain(charter), links)
  }

  #restore({ charter, signature, links }: Chain, more: readonly Link[]): ProvenChain {
    return ProvenChain.restore(charter, signature, [...links, ...more], this.#standing.host.crypto)
  }

  /** One that was given up. */
  gone(id: ElectorateId): ProvenChain | undefined {
    return this.#gone.get(id)
  }

  append(link: Link): void {
    this.#standing.host.remember(electorateKeys.link(link.version), encodeLink(link))
  }

  /** From now on this is the chain; the former one, if it was given up, is kept for others. */
  replace(former: ProvenChain | undefined, chain: ProvenChain): void {
    const { host } = this.#standing
    if (former !== undefined) this.#putAway(former)
    host.remember(electorateKeys.charter, encodeChain({ ...chainOf(chain), links: [] }))
    for (const link of chain.links) this.append(link)
  }

  #putAway(former: ProvenChain): void {
    const { host } = this.#standing
    for (const { version } of former.links) host.remember(electorateKeys.link(version), undefined)
    if (former.dissolvedInto === undefined) return
    this.#gone.set(former.id, former)
    host.remember(electorateKeys.gone(former.id), encodeChain(chainOf(former)))
    const [oldest] = this.#gone.keys()
    if (this.#gone.size <= mostGone || oldest === undefined) return
    this.#gone.delete(oldest)
    host.remember(electorateKeys.gone(oldest), undefined)
  }
}

function chainOf({ charter, signature, links }: ProvenChain): Chain {
  return { charter, signature, links }
}

/**
 * The proof of an electorate: a charter that its founder signed, whose hash is the
 * electorate's id, and a link a change, with accepts of one ballot that a quorum of the
 * voters before it signed. Whoever can follow the links knows who votes; nobody has to be believed.
 */
import type { Crypto, PeerId } from '../../../../lib/protocols/core.ts'
import { isQuorum } from '../../../../lib/protocols/quorum/quorum.ts'
import { minLeaseMs } from '../config.ts'
import { mutexLimits } from '../limits.ts'
import { acceptBytes, charterBytes, electorateIdOf } from '../statements.ts'
import type { Charter, Decision, Electorate, ElectorateId, Link } from './messages.ts'

const sizes = [1, 3, 5, 7]
const longestLeaseMs = 3_600_000

export class ProvenChain {
  readonly id: ElectorateId
  readonly charter: Charter
  readonly signature: Uint8Array
  readonly #links: Link[] = []
  /** Of version 1 on. */
  readonly #voters: (readonly PeerId[])[]
  #dissolvedInto: ElectorateId | undefined

  private constructor(id: ElectorateId, charter: Charter, signature: Uint8Array) {
    this.id = id
    this.charter = charter
    this.signature = signature
    this.#voters = [[charter.founder]]
  }

  /** Version 1 of the electorate `id`; undefined when the proof is bad. */
  static open(
    id: ElectorateId,
    charter: Charter,
    signature: Uint8Array,
    cluster: string,
    crypto: Crypto,
  ): ProvenChain | undefined {
    if (!isCharter(charter, cluster) || electorateIdOf(charter, crypto.sha256) !== id) return undefined
    if (!crypto.verify(charter.founder, charterBytes(charter), signature)) return undefined
    return new ProvenChain(id, charter, signature)
  }

  /** As it was written by this peer, which had verified it. */
  static restore(
    charter: Charter,
    signature: Uint8Array,
    links: readonly Link[],
    crypto: Crypto,
  ): ProvenChain {
    const chain = new ProvenChain(electorateIdOf(charter, crypto.sha256), charter, signature)
    for (const link of links) chain.#append(link)
    return chain
  }

  get version(): number {
    return this.#voters.length
  }

  get voters(): readonly PeerId[] {
    return this.votersOf(this.version)
  }

  /** Given up, after version 1, for another. */
  get dissolvedInto(): ElectorateId | undefined {
    return this.#dissolvedInto
  }

  /** None for a version that is not proven here. */
  votersOf(version: number): readonly PeerId[] {
    return this.#voters[version - 1] ?? []
  }

  electorate(version = this.version): Electorate {
    return { id: this.id, version, voters: this.votersOf(version), charter: this.charter }
  }

  get links(): readonly Link[] {
    return this.#links
  }

  /** What follows version `after`, as much as goes in one frame. */
  page(after: number): readonly Link[] {
    const from = Math.max(0, after - 1)
    return this.#links.slice(from, from + mutexLimits.links)
  }

  /** Since which version `peer` votes without a break; 0 when it does not vote. */
  tenure(peer: PeerId): number {
    let version = this.version
    while (version > 0 && this.votersOf(version).includes(peer)) version -= 1
    return version === this.version ? 0 : version + 1
  }

  /** The next link, if the proof is good. */
  extend(link: Link, crypto: Crypto): 'taken' | 'known' | 'gap' | 'bad' {
    if (link.version < this.version || this.#dissolvedInto !== undefined) return 'known'
    if (link.version > this.version) return 'gap'
    if (this.#links.length >= mutexLimits.chain || !this.#isProven(link, crypto)) return 'bad'
    this.#append(link)
    return 'taken'
  }

  /** Whether that may follow the version that is the last here. */
  allows(decision: Decision): boolean {
    if (this.#dissolvedInto !== undefined) return false
    if (decision.type === 'dissolved') return this.version === 1 && decision.into !== this.id
    const { voters, replaced } = decision
    if (!sizes.includes(voters.length) || voters.length > this.charter.maxVoters) return false
    if (new Set(voters).size !== voters.length || new Set(replaced).size !== replaced.length) return false
    return replaced.every((peer) => this.voters.includes(peer) && !voters.includes(peer))
  }

  #isProven({ version, ballot, decision, accepts }: Link, crypto: Crypto): boolean {
    if (!this.allows(decision) || accepts.length > this.voters.length) return false
    const signers = new Set(accepts.map(({ voter }) => voter))
    if (signers.size !== accepts.length || !accepts.every(({ voter }) => this.voters.includes(voter)))
      return false
    if (!isQuorum(this.voters, signers)) return false
    const bytes = acceptBytes(this.id, version, ballot, decision)
    return accepts.every(({ voter, signature }) => crypto.verify(voter, bytes, signature))
  }

  #append(link: Link): void {
    this.#links.push(link)
    if (link.decision.type === 'voters') this.#voters.push(link.decision.voters)
    else this.#dissolvedInto = link.decision.into
  }
}

function isCharter(charter: Charter, cluster: string): boolean {
  const { nonce, maxLeaseMs, driftBound, maxVoters } = charter
  return (
    charter.cluster === cluster &&
    /^[0-9a-f]{32}$/.test(nonce) &&
    charter.quorumSystem === 'majority' &&
    maxLeaseMs >= minLeaseMs &&
    maxLeaseMs <= longestLeaseMs &&
    driftBound >= 0 &&
    driftBound < 0.5 &&
    sizes.includes(maxVoters)
  )
}

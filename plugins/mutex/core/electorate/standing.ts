/** What the parts of the electorate's half share: what is proven, what is in force, and who this peer is in it. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { isQuorum } from '../../../../lib/protocols/quorum/quorum.ts'
import type { ElectorateHost } from '../ports.ts'
import type { ProvenChain } from './chain.ts'
import { decodeNumbers, electorateKeys, encodeNumbers } from './keeping.ts'
import type { Electorate } from './messages.ts'
import type { ElectorateUnits } from './units.ts'

export class Standing {
  readonly host: ElectorateHost
  readonly units: ElectorateUnits
  chain: ProvenChain | undefined
  /** The version that requests go to: the last, or the one before it while nobody is known to have sealed that. */
  live = 0
  /** This peer means to go: it votes in nothing new. */
  leaving = false
  /** The last version after which this peer said that it would vote. */
  ready = 0
  /** The last version at which its disk is known to have gone back or lost something. */
  voidedAt = 0
  /** Lock state was written, or is about to be, of which `stamped` has not told yet. */
  unstamped = false

  /** Both are asked for with each frame. */
  #concerned: {
    readonly chain: ProvenChain | undefined
    readonly version: number
    readonly voters: ReadonlySet<PeerId>
  } = { chain: undefined, version: 0, voters: new Set() }

  #electorate: Electorate | undefined

  constructor(host: ElectorateHost, units: ElectorateUnits) {
    this.host = host
    this.units = units
  }

  /** The last version that is proven here; 0 for none. */
  get version(): number {
    return this.chain?.version ?? 0
  }

  get voters(): readonly PeerId[] {
    return this.chain?.voters ?? []
  }

  /** Whom requests go to. */
  get electorate(): Electorate | undefined {
    const { chain, live } = this
    if (chain === undefined || live === 0) return undefined
    if (this.#electorate?.id !== chain.id || this.#electorate.version !== live) {
      this.#electorate = chain.electorate(live)
    }
    return this.#electorate
  }

  votersOf(version: number): readonly PeerId[] {
    return this.chain?.votersOf(version) ?? []
  }

  votesIn(version: number): boolean {
    return this.votersOf(version).includes(this.host.self)
  }

  /** This peer's disk was lost or went back, and it was not removed and added since. */
  get isVoid(): boolean {
    const { arbiter, self } = this.host
    if (arbiter.state.void === undefined) return false
    const since = this.chain?.tenure(self) ?? 0
    return since <= Math.max(1, this.voidedAt) || this.ready < since - 1
  }

  /** It has said READY since: what others tell of its former lives has been told. */
  get isReturning(): boolean {
    return this.isVoid && this.ready > 0 && this.ready === this.version
  }

  isQuorumOf(version: number, members: ReadonlySet<PeerId>): boolean {
    return isQuorum(this.votersOf(version), members)
  }

  /** Those of the last version and of the one before: all that a change concerns. */
  get concerned(): ReadonlySet<PeerId> {
    const { chain, version } = this
    if (this.#concerned.chain !== chain || this.#concerned.version !== version) {
      const voters = new Set([...this.votersOf(version - 1), ...this.voters])
      this.#concerned = { chain, version, voters }
    }
    return this.#concerned.voters
  }

  /** Of these, those that answer now, this peer included. */
  answering(voters: readonly PeerId[]): Set<PeerId> {
    const { self } = this.host
    return new Set(voters.filter((peer) => peer === self || this.host.answers(peer)))
  }

  /** Lock state: durable before what this step sends. */
  write(key: string, value: Uint8Array | undefined): void {
    this.unstamped = true
    this.host.write(key, value)
  }

  /** Best effort: asks for a link where there is none. */
  reach(peer: PeerId): boolean {
    if (this.host.isConnected(peer)) return true
    this.host.dial(peer)
    return false
  }

  number(key: string): number {
    const bytes = this.host.durable.get(key)
    return bytes === undefined ? 0 : (decodeNumbers(key, bytes, 1)[0] ?? 0)
  }

  keepNumber(key: string, value: number): void {
    this.host.remember(key, encodeNumbers(value))
  }

  /** Somebody has begun with that version. */
  begin(version: number): boolean {
    if (version <= this.live || version > this.version || this.chain === undefined) return false
    this.live = version
    this.keepNumber(electorateKeys.live, version)
    if (this.electorate !== undefined) this.host.changed(this.electorate)
    this.host.viewChanged()
    return true
  }
}

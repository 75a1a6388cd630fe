/**
 * Founding: who makes version 1, and when.
 *
 * Bare `p2pd` founds on an empty data directory, and writes its electorate before its
 * identity. Whoever was told of others waits for theirs. Of peers that expect
 * each other the one with the lowest id founds, once so many are connected to each other.
 */
import type { Crypto, PeerId } from '../../../../lib/protocols/core.ts'
import type { MutexConfig } from '../config.ts'
import { encodeChain, encodeOrigin, type Origin } from '../records.ts'
import { charterBytes } from '../statements.ts'
import { electorateKeys } from './keeping.ts'
import type { Charter } from './messages.ts'
import type { Standing } from './standing.ts'

export interface FirstRecords {
  readonly self: PeerId
  /** 32 hexadecimal digits. */
  readonly cluster: string
  readonly crypto: Crypto
  /** 32 hexadecimal digits, drawn at random. */
  readonly nonce: string
  readonly config: MutexConfig
  readonly origin: Origin['type']
}

/** What has to be on disk before a new identity is. An identity without it has lost its disk, and never votes. */
export function firstRecords(first: FirstRecords): ReadonlyMap<string, Uint8Array> {
  const records = new Map([[electorateKeys.origin as string, encodeOrigin({ type: first.origin })]])
  if (first.origin === 'founder') records.set(electorateKeys.charter, foundation(first).record)
  return records
}

/** Version 1, signed. */
export function foundation({ self, cluster, crypto, nonce, config }: Omit<FirstRecords, 'origin'>) {
  const { maxLeaseMs, driftBound, maxVoters } = config
  const charter: Charter = {
    cluster,
    founder: self,
    nonce,
    quorumSystem: 'majority',
    maxLeaseMs,
    driftBound,
    maxVoters,
  }
  const signature = crypto.sign(charterBytes(charter))
  return { charter, signature, record: encodeChain({ charter, signature, links: [] }) }
}

/** `--expect N`: peers without an electorate that wait for each other. */
export class Expecting {
  readonly #standing: Standing
  readonly #expected: number | undefined
  /** How many each connected one sees waiting, itself included. */
  readonly #seen = new Map<PeerId, number>()

  constructor(standing: Standing, expected: number | undefined) {
    this.#standing = standing
    this.#expected = expected
  }

  /** How many wait that this peer knows of, itself included; 0 when it does not wait. */
  get count(): number {
    const isWaiting =
      this.#expected !== undefined && this.#standing.chain === undefined && !this.#standing.isVoid
    return isWaiting ? this.#seen.size + 1 : 0
  }

  /** What the head of a connected peer says; true when the count has changed. */
  hear(peer: PeerId, expecting: number): boolean {
    const had = this.#seen.has(peer)
    if (expecting === 0) return this.#seen.delete(peer)
    this.#seen.set(peer, expecting)
    return !had
  }

  disconnected(peer: PeerId): boolean {
    return this.#seen.delete(peer)
  }

  /** As many as are expected are connected to each other, and this one has the lowest id of all that wait. */
  get mayFound(): boolean {
    const { self } = this.#standing.host
    const expected = this.#expected
    if (expected === undefined || this.count < expected) return false
    if ([...this.#seen.keys()].some((peer) => peer < self)) return false
    const complete = [...this.#seen.values()].filter((count) => count >= expected)
    return complete.length + 1 >= expected
  }

  /** 32 hexadecimal digits. */
  nonce(): string {
    const { host } = this.#standing
    const draws = Array.from({ length: 4 }, () => Math.floor(host.random() * 2 ** 32))
    const seed = [host.self, host.generation, ...draws].join(' ')
    const hash = host.crypto.sha256(Uint8Array.from(seed, (character) => character.charCodeAt(0)))
    return [...hash.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  }
}

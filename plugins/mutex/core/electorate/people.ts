/** Who is there, as the policy sees it: from connections, membership and what was asked by hand. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { Candidate } from './policy.ts'
import type { Retirement } from './retirement.ts'
import type { Standing } from './standing.ts'

/** Whoever did not say that it would vote comes last for so long. */
const silentMs = 60_000

export class People {
  readonly #standing: Standing
  readonly #retirement: Retirement
  readonly #connectedAt = new Map<PeerId, number>()
  /** Until when each is held not to want to vote. */
  readonly #silentUntil = new Map<PeerId, number>()
  #startedAt = 0

  constructor(standing: Standing, retirement: Retirement) {
    this.#standing = standing
    this.#retirement = retirement
  }

  start(): void {
    const { host } = this.#standing
    this.#startedAt = host.now
    for (const peer of host.connected()) this.connected(peer)
  }

  connected(peer: PeerId): void {
    this.#connectedAt.set(peer, this.#standing.host.now)
  }

  disconnected(peer: PeerId): void {
    this.#connectedAt.delete(peer)
    this.#silentUntil.delete(peer)
  }

  /** Asked whether it would vote, it did not say so. */
  wasSilent(peer: PeerId): void {
    const { host } = this.#standing
    if (host.isConnected(peer)) this.#silentUntil.set(peer, host.now + silentMs)
  }

  connectedMs(peer: PeerId): number {
    const at = this.#connectedAt.get(peer)
    return at === undefined ? 0 : this.#standing.host.now - at
  }

  /** Held dead without a break for so long; 0 while it is not. Whoever says that it stops, or has left, is as good as dead. */
  deadMs(peer: PeerId): number {
    const { host } = this.#standing
    if (peer === host.self) return 0
    const member = host.member(peer)
    // Nobody has heard of it since this peer started: it is older than the table.
    if (member === undefined) return host.isConnected(peer) ? 0 : host.now - this.#startedAt
    const { status } = member.news
    return status === 'alive' || status === 'suspect' ? 0 : Math.max(0, host.now - member.since)
  }

  isLive(peer: PeerId): boolean {
    const { host } = this.#standing
    return peer === host.self || (host.isConnected(peer) && host.member(peer)?.news.status === 'alive')
  }

  /** Of a voter, suspicion is not held against it; asking it whether it answers would be heard every time. */
  #isThere(peer: PeerId): boolean {
    return this.#standing.host.isConnected(peer) && this.deadMs(peer) === 0
  }

  /** Anybody but this peer that has not left for good: the dead may come back, and find nobody who votes. */
  get hasOthers(): boolean {
    return this.#standing.host
      .members()
      .some(({ peer, status }) => peer !== this.#standing.host.self && status !== 'left')
  }

  /** Voters, and everybody that is connected. */
  candidates(leaving: ReadonlySet<PeerId>): ReadonlyMap<PeerId, Candidate> {
    const { host, voters } = this.#standing
    const { retiredMs, retiredMaxMs } = host.config
    const people = new Map<PeerId, Candidate>()
    for (const peer of new Set([...voters, ...this.#connectedAt.keys(), host.self])) {
      people.set(peer, {
        peer,
        isLive: this.isLive(peer) || (voters.includes(peer) && this.#isThere(peer)),
        connectedMs: this.connectedMs(peer),
        deadMs: this.deadMs(peer),
        isRetired: this.#retirement.isRetired(peer, host.now, retiredMs, retiredMaxMs),
        isSilent: (this.#silentUntil.get(peer) ?? Number.NEGATIVE_INFINITY) > host.now,
        isLeaving: leaving.has(peer),
      })
    }
    return people
  }

  /** Connected for as long as a joiner has to be. */
  settled(voters: readonly PeerId[]): ReadonlySet<PeerId> {
    const { readyForMs } = this.#standing.host.config
    return new Set(voters.filter((peer) => this.connectedMs(peer) >= readyForMs))
  }
}

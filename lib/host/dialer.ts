import './with-resolvers.ts'
import { isIP } from 'node:net'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '../protocols/core.ts'
import type { DialOutcome, KnockOutcome, MembershipRequest } from '../protocols/membership/messages.ts'
import { maxAddresses } from '../wire/limits.ts'
import { readAddress } from './addresses.ts'
import type { Connections } from './connections.ts'
import type { Counters } from './counters.ts'
import { Deadline } from './deadline.ts'
import { type Attempt, Handshake, isReset, reasonOf, untried, worst } from './dial-attempt.ts'
import { DialRules } from './dial-rules.ts'
import { Lane } from './lane.ts'
import type { Node } from './node.ts'
import { resolveHosts } from './resolve-hosts.ts'
import { delay, orAborted, within } from './until-aborted.ts'

export type DialRequest = Extract<MembershipRequest, { type: 'dial' }>
export type KnockRequest = Extract<MembershipRequest, { type: 'knock' }>

export interface DialerInit {
  readonly self: PeerId
  readonly admits: (peer: PeerId) => boolean
  /** The own record's addresses: which kinds of host this peer itself is reached at. */
  readonly ownAddresses: () => readonly string[]
  readonly counters: Counters
}

/** Connects under way; each holds a socket and, for some milliseconds, a handshake. */
const maxConcurrent = 32
/**
 * Knocks have their own places: addresses that accept and say nothing hold a
 * dial for seconds, and anybody can name such.
 */
const maxConcurrentKnocks = 16
/**
 * So have dials that ask whether somebody is still there: thirty at once, when a
 * switch fails, must not wait behind dials of the dead. In an app's node all of them
 * stay below the 100 that libp2p dials at once.
 */
const maxConcurrentQuick = 48
/** A dial with no more time than this is one of those. */
const quickMs = 2000
/** Requests that may wait for a place of their kind. */
const maxWaiting = 1024
/** Until the next look at an address that accepts and resets; twice as long each time. */
const tornDownMs = 25
/** Between two addresses of one peer (RFC 8305 §5 recommends 250 ms). */
const staggerMs = 250

/**
 * Carries out what membership asks: `dial` and `knock`.
 *
 * Addresses are dialled one by one through libp2p, never as a list with a peer
 * id: libp2p would try them in turn for seconds each. Who answered is judged when Noise has proved it, before the
 * connection counts as open: so a knock leaves no trace in the other's table,
 * and another identity is never taken for the one that was asked for.
 */
export class Dialer {
  readonly #init: DialerInit
  readonly #busy = new Map<string, Promise<unknown>>()
  readonly #rules: DialRules
  readonly #dials = new Lane(maxConcurrent, maxWaiting)
  readonly #quick = new Lane(maxConcurrentQuick, maxWaiting)
  readonly #knocks = new Lane(maxConcurrentKnocks, maxWaiting)
  readonly #deadlines = new Set<Deadline>()
  #node: Node | undefined
  #connections: Connections | undefined

  constructor(init: DialerInit) {
    this.#init = init
    this.#rules = new DialRules(init.ownAddresses)
  }

  start(node: Node, connections: Connections): void {
    this.#node = node
    this.#connections = connections
  }

  stop(): void {
    for (const deadline of this.#deadlines) deadline.abort()
  }

  /** Addresses that the user gave may name any kind of host. */
  trust(addresses: readonly string[]): void {
    this.#rules.trust(addresses)
  }

  async dial(request: DialRequest): Promise<DialOutcome> {
    const outcome = await this.#dial(request)
    const kind = outcome.type === 'connected' ? 'connected' : outcome.reason
    this.#init.counters.dials[kind] = (this.#init.counters.dials[kind] ?? 0) + 1
    return outcome
  }

  async #dial(request: DialRequest): Promise<DialOutcome> {
    const { peer, mode } = request
    if (peer === this.#init.self) return { type: 'failed', reason: 'self' }
    if (peer !== undefined && !this.#init.admits(peer)) return { type: 'failed', reason: 'denied' }
    const before = peer === undefined ? [] : this.#open(peer)
    if (mode === 'connect' && peer !== undefined && before.length > 0) {
      return { type: 'connected', peer, address: undefined }
    }
    const attempt = await this.#race(request)
    if (attempt.type === 'failed') return attempt
    return this.#settle(request, attempt.connection, attempt.address, before)
  }

  /** Only connections older than the dial are compared with: two peers that dial each other must not close both. */
  #settle(
    request: DialRequest,
    connection: Connection,
    address: string,
    before: readonly Connection[],
  ): DialOutcome {
    const peer = connection.remotePeer.toString() as PeerId
    this.#rules.trust([address])
    const older = before.filter((other) => other.status === 'open' && other !== connection)
    if (request.mode === 'replace') for (const other of older) this.#connections?.close(other)
    return { type: 'connected', peer, address }
  }

  /** All addresses, each a little after the one before or at once when that has failed; the first wins. */
  async #race(request: DialRequest): Promise<Attempt> {
    const addresses = request.addresses.slice(0, maxAddresses)
    const deadline = new Deadline(request.timeoutMs, this.#deadlines)
    const { signal } = deadline
    const stagger = Math.min(staggerMs, request.timeoutMs / (2 * Math.max(1, addresses.length)))
    const attempts: Promise<Attempt>[] = []
    let won: Attempt | undefined
    const lane = request.timeoutMs <= quickMs ? this.#quick : this.#dials
    for (const address of addresses) {
      const attempt = this.#attempt(address, request.peer, lane, deadline).then((result) => {
        if (result.type === 'failed') return result
        if (won === undefined) {
          won = result
          deadline.abort()
        } else if (won.type === 'connected' && won.connection !== result.connection) {
          this.#connections?.close(result.connection)
        }
        return result
      })
      attempts.push(attempt)
      await Promise.race([attempt, delay(stagger, signal)])
      if (won !== undefined) break
    }
    const results = await Promise.all(attempts)
    deadline.clear()
    return won ?? { type: 'failed', reason: worst(results) }
  }

  async #attempt(
    text: string,
    expected: PeerId | undefined,
    lane: Lane,
    deadline: Deadline,
  ): Promise<Attempt> {
    const { signal } = deadline
    const probe = lane === this.#knocks
    const address = readAddress(text)
    if (address === undefined) return { type: 'failed', reason: 'unreachable' }
    const peer = expected ?? address.peer
    if (peer === this.#init.self && !probe) return { type: 'failed', reason: 'self' }
    if (expected !== undefined && address.peer !== undefined && address.peer !== expected) {
      return { type: 'failed', reason: 'other-identity' }
    }
    const hosts = await within(resolveHosts(address), signal)
    let result: Attempt = { type: 'failed', reason: signal.aborted ? 'timeout' : 'unreachable' }
    for (const host of hosts ?? []) {
      if (!this.#rules.mayDial(text, host)) continue
      const target = `/${isIP(host) === 6 ? 'ip6' : 'ip4'}/${host}/tcp/${address.port}`
      const watch = new Handshake(peer, probe)
      result = await this.#slot(target, lane, deadline, () => this.#connect(text, target, watch, signal))
      if (result.type === 'connected' || signal.aborted) break
    }
    return result
  }

  async #connect(text: string, target: string, watch: Handshake, signal: AbortSignal): Promise<Attempt> {
    if (this.#node === undefined) return untried
    const dialled = this.#node.dial(multiaddr(target), { signal, watch })
    try {
      return { type: 'connected', connection: await orAborted(dialled, signal), address: text }
    } catch (error) {
      const late = (connection: Connection): void => this.#connections?.close(connection)
      void dialled.then(late, () => {})
      return { type: 'failed', reason: reasonOf(error, watch, signal) }
    }
  }

  async knock(request: KnockRequest): Promise<KnockOutcome> {
    const outcome = await this.#knock(request)
    this.#init.counters.knocks[outcome] = (this.#init.counters.knocks[outcome] ?? 0) + 1
    return outcome
  }

  /** A probe never becomes a connection, so it always ends as some failure; which one is the answer. */
  async #knock(request: KnockRequest): Promise<KnockOutcome> {
    const deadline = new Deadline(request.timeoutMs, this.#deadlines)
    const look = () => this.#attempt(request.address, request.peer, this.#knocks, deadline)
    let attempt = await look()
    // A process that is being torn down may lose its listening socket last, and resets meanwhile whom that accepts.
    for (let waitMs = tornDownMs; isReset(attempt) && !deadline.signal.aborted; waitMs *= 2) {
      await delay(waitMs, deadline.signal)
      if (!deadline.signal.aborted) attempt = await look()
    }
    deadline.clear()
    if (attempt.type === 'connected') return 'inconclusive'
    switch (attempt.reason) {
      case 'refused':
        return 'refused'
      case 'denied':
        return 'answered'
      case 'other-identity':
      case 'self':
        return 'other-identity'
      case 'timeout':
      case 'unanswered':
      case 'unreachable':
      case 'untried':
        return 'inconclusive'
    }
  }

  #open(peer: PeerId): readonly Connection[] {
    return this.#connections?.of(peer) ?? []
  }

  /** Who had to wait too long for a place has had no time to fail. */
  async #slot(
    target: string,
    lane: Lane,
    deadline: Deadline,
    connect: () => Promise<Attempt>,
  ): Promise<Attempt> {
    const { signal } = deadline
    let isFair = false
    const run = (): Promise<Attempt | undefined> =>
      lane.run(signal, () => {
        isFair = !deadline.isSpent
        return connect()
      })
    const attempt = await (this.#node?.joinsDials === true ? this.#inTurn(target, signal, run) : run())
    if (attempt === undefined) return untried
    const isLate = attempt.type === 'failed' && signal.aborted
    return isLate && !isFair ? untried : attempt
  }

  /** One at a time for each target. */
  async #inTurn(
    target: string,
    signal: AbortSignal,
    run: () => Promise<Attempt | undefined>,
  ): Promise<Attempt | undefined> {
    const former = this.#busy.get(target) ?? Promise.resolve()
    const result = former.then(run)
    this.#busy.set(target, result)
    void result.then(() => {
      if (this.#busy.get(target) === result) this.#busy.delete(target)
    })
    await within(former, signal)
    return signal.aborted ? undefined : await result
  }
}

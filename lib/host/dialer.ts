import './with-resolvers.ts'
import { lookup } from 'node:dns/promises'
import { setMaxListeners } from 'node:events'
import { isIP } from 'node:net'
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { PeerId } from '../protocols/core.ts'
import type {
  DialFailure,
  DialOutcome,
  KnockOutcome,
  MembershipRequest,
} from '../protocols/membership/messages.ts'
import { maxAddresses } from '../wire/limits.ts'
import { type HostKind, hostKind, readAddress, type TcpAddress, withoutPeer } from './addresses.ts'
import type { OutboundJudge } from './admission.ts'
import type { Connections } from './connections.ts'
import type { Counters } from './counters.ts'
import { hasCode } from './key-file.ts'
import type { Node } from './node.ts'

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
 * dial for seconds, and anybody can name such. With the dials they stay below the
 * 50 that libp2p dials at once.
 */
const maxConcurrentKnocks = 16
/** Requests that may wait for one of those. */
const maxWaiting = 1024
/** Addresses given by the user, or at which a handshake was completed. */
const maxTrusted = 4096
/** Between two addresses of one peer (RFC 8305 §5 recommends 250 ms). */
const staggerMs = 250

/** Connects of one kind: how many may run at once, and who waits to. */
interface Lane {
  readonly places: number
  running: number
  readonly waiting: (() => void)[]
}

type Attempt =
  | { readonly type: 'connected'; readonly connection: Connection; readonly address: string }
  | { readonly type: 'failed'; readonly reason: DialFailure }

/** A handshake under way, by the address that libp2p reports: whom we expect and whether to stop there. */
interface Expectation {
  readonly peer: PeerId | undefined
  readonly probe: boolean
  met: PeerId | undefined
}

/**
 * Carries out what membership asks: `dial` and `knock`.
 *
 * Addresses are dialled one by one through libp2p, never as a list with a peer
 * id: libp2p would try them in turn for seconds each and join a dial that is
 * under way. Who answered is judged when Noise has proved it, before the
 * connection counts as open: so a knock leaves no trace in the other's table,
 * and another identity is never taken for the one that was asked for.
 */
export class Dialer {
  readonly #init: DialerInit
  readonly #expected = new Map<string, Expectation>()
  readonly #busy = new Map<string, Promise<unknown>>()
  readonly #trusted = new Set<string>()
  readonly #dials: Lane = { places: maxConcurrent, running: 0, waiting: [] }
  readonly #knocks: Lane = { places: maxConcurrentKnocks, running: 0, waiting: [] }
  readonly #deadlines = new Set<Deadline>()
  #node: Node | undefined
  #connections: Connections | undefined

  constructor(init: DialerInit) {
    this.#init = init
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
    for (const address of addresses) {
      const [oldest] = this.#trusted
      if (this.#trusted.size >= maxTrusted && oldest !== undefined) this.#trusted.delete(oldest)
      this.#trusted.add(withoutPeer(address))
    }
  }

  /** For the gater: true ends the handshake here. */
  readonly judge: OutboundJudge = (peer, remoteAddress) => {
    const expectation = this.#expected.get(withoutPeer(remoteAddress))
    if (expectation === undefined) return false
    expectation.met = peer
    return expectation.probe || (expectation.peer !== undefined && expectation.peer !== peer)
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
    this.trust([address])
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
    for (const address of addresses) {
      const attempt = this.#attempt(address, request.peer, false, signal).then((result) => {
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
    probe: boolean,
    signal: AbortSignal,
  ): Promise<Attempt> {
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
      if (!this.#mayDial(text, host)) continue
      const target = `/${isIP(host) === 6 ? 'ip6' : 'ip4'}/${host}/tcp/${address.port}`
      const lane = probe ? this.#knocks : this.#dials
      result = await this.#slot(target, lane, signal, () => this.#connect(text, target, peer, probe, signal))
      if (result.type === 'connected') return result
    }
    return result
  }

  /** A record of somebody else must not make this peer knock at its own machine's doors. */
  #mayDial(text: string, host: string): boolean {
    const kind = hostKind(host)
    if (kind === 'unspecified' || kind === 'multicast') return false
    return kind === 'global' || this.#trusted.has(withoutPeer(text)) || this.#ownKinds().has(kind)
  }

  #ownKinds(): ReadonlySet<HostKind> {
    return new Set(this.#init.ownAddresses().map((text) => hostKind(readAddress(text)?.host ?? '')))
  }

  async #connect(
    text: string,
    target: string,
    peer: PeerId | undefined,
    probe: boolean,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const expectation: Expectation = { peer, probe, met: undefined }
    const address = multiaddr(target)
    this.#expected.set(address.toString(), expectation)
    try {
      const connection = await this.#node?.dial(address, { signal })
      if (connection === undefined) return { type: 'failed', reason: 'unreachable' }
      if (!signal.aborted) return { type: 'connected', connection, address: text }
      this.#connections?.close(connection)
      return { type: 'failed', reason: 'timeout' }
    } catch (error) {
      return { type: 'failed', reason: reasonOf(error, expectation, signal) }
    } finally {
      this.#expected.delete(address.toString())
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
    const attempt = await this.#attempt(request.address, request.peer, true, deadline.signal)
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
        return 'inconclusive'
    }
  }

  #open(peer: PeerId): readonly Connection[] {
    return this.#connections?.of(peer) ?? []
  }

  /** One at a time for each target, because libp2p joins equal dials; and not too many in all. */
  async #slot(
    target: string,
    lane: Lane,
    signal: AbortSignal,
    run: () => Promise<Attempt>,
  ): Promise<Attempt> {
    if (lane.waiting.length >= maxWaiting) return { type: 'failed', reason: 'timeout' }
    const former = this.#busy.get(target) ?? Promise.resolve()
    const result = former.then(async (): Promise<Attempt> => {
      if (lane.running >= lane.places) await new Promise<void>((resolve) => lane.waiting.push(resolve))
      if (signal.aborted) {
        lane.waiting.shift()?.()
        return { type: 'failed', reason: 'timeout' }
      }
      lane.running += 1
      try {
        return await run()
      } finally {
        lane.running -= 1
        lane.waiting.shift()?.()
      }
    })
    this.#busy.set(target, result)
    void result.then(() => {
      if (this.#busy.get(target) === result) this.#busy.delete(target)
    })
    return (await within(result, signal)) ?? { type: 'failed', reason: 'timeout' }
  }
}

/** A time limit that can end early, and leaves nothing behind when it does. */
class Deadline {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout
  readonly #all: Set<Deadline>

  constructor(timeoutMs: number, all: Set<Deadline>) {
    this.#timer = setTimeout(() => this.#controller.abort(), timeoutMs)
    this.#all = all
    setMaxListeners(0, this.#controller.signal)
    all.add(this)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  abort(): void {
    this.clear()
    this.#controller.abort()
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#all.delete(this)
  }
}

function reasonOf(error: unknown, expectation: Expectation, signal: AbortSignal): DialFailure {
  const { met, peer, probe } = expectation
  if (met !== undefined && peer !== undefined && met !== peer) return 'other-identity'
  if (met !== undefined && probe) return 'denied'
  if (signal.aborted) return 'timeout'
  // It proved who it is and went no further: one of the two keeps the other out.
  if (met !== undefined) return 'denied'
  if (hasCode(error, 'ECONNREFUSED')) return 'refused'
  return error instanceof Error && error.name === 'InvalidPeerIdError' ? 'self' : 'unreachable'
}

/** The failure that says most: a refusal counts only when every address refused. */
const telling: readonly DialFailure[] = [
  'self',
  'denied',
  'other-identity',
  'unanswered',
  'timeout',
  'unreachable',
  'refused',
]

function worst(results: readonly Attempt[]): DialFailure {
  const reasons = new Set(results.map((result) => (result.type === 'failed' ? result.reason : 'unreachable')))
  return telling.find((reason) => reasons.has(reason)) ?? 'unreachable'
}

/** Names are resolved here, so that the rule about loopback cannot be passed by a name. */
async function resolveHosts(address: TcpAddress): Promise<readonly string[]> {
  switch (address.family) {
    case 'ip4':
    case 'ip6':
      return [address.host]
    case 'dns':
    case 'dns4':
    case 'dns6': {
      const family = address.family === 'dns' ? 0 : address.family === 'dns4' ? 4 : 6
      const found = await lookup(address.host, { all: true, family })
      return found.map((entry) => entry.address).slice(0, maxAddresses)
    }
  }
}

/** The value, or undefined when it fails or `signal` is quicker. */
function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve) => {
    const onAbort = (): void => resolve(undefined)
    signal.addEventListener('abort', onAbort, { once: true })
    promise
      .then(resolve, () => resolve(undefined))
      .finally(() => signal.removeEventListener('abort', onAbort))
  })
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}

import './with-resolvers.ts'
import type { MultiaddrConnection } from '@libp2p/interface'
import type { Counters } from './counters.ts'

/** Handshakes under way from one address, from where those that get nowhere make room. */
const maxPendingEach = 32
/** And from all; each holds a socket and some kilobytes. */
export const maxPending = 256
/** Who has said nothing for so long may be put out when there is no room at all: an honest peer speaks at once. */
const silentMs = 250
/** Who gets nowhere for so long, when its address has many: a crowded machine may need that. */
const slowMs = 1000
/**
 * Connections a second from one address; on one machine 32 peers may dial a founder, and
 * knock at it, in one second. A handshake costs about 3 ms, so this bounds one address to a third of a core.
 */
const maxEachSecond = 128
/** Open ones that one address has made: with the secret and new identities it could take all. */
const maxOpenEach = 256
/** Addresses that are remembered, for a second or as long as something of them is open. */
const maxAddresses = 4096

type Progress = 'silent' | 'heard' | 'known'

interface Pending {
  readonly connection: MultiaddrConnection
  readonly since: number
  progress: Progress
}

interface Origin {
  /** Oldest first. */
  readonly pending: Set<Pending>
  open: number
  /** Token bucket: what is left, and since when. */
  tokens: number
  refilledAt: number
}

/**
 * Who knocks at the door, by address, until Noise has proved who it is; and how
 * many from one address are inside.
 *
 * libp2p refuses everybody while a fixed number of handshakes is under way, so a few
 * silent sockets a second would close the door. Here who gets nowhere is put out as
 * soon as somebody else needs the room: the honest need it for milliseconds.
 */
export class Inbound {
  readonly #counters: Counters
  readonly #now: () => number
  readonly #origins = new Map<string, Origin>()
  readonly #pending = new Map<object, Pending>()

  constructor(counters: Counters, now: () => number = () => performance.now()) {
    this.#counters = counters
    this.#now = now
  }

  /** A socket was accepted; false when it is to be closed at once. */
  admit(connection: MultiaddrConnection): boolean {
    const key = originOf(connection)
    const origin = this.#originOf(key)
    const admitted =
      origin !== undefined && origin.open < maxOpenEach && this.#withinRate(origin) && this.#hasRoom(origin)
    if (!admitted) {
      this.#counters.refusedHandshakes.crowded += 1
      return false
    }
    const pending: Pending = { connection, since: this.#now(), progress: 'silent' }
    origin.pending.add(pending)
    this.#pending.set(connection, pending)
    connection.addEventListener('close', () => this.#closed(connection, origin), { once: true })
    return true
  }

  /** It has said something, or what only who knows the secret can say. */
  progressed(connection: object, progress: Exclude<Progress, 'silent'>): void {
    const pending = this.#pending.get(connection)
    if (pending !== undefined) pending.progress = progress
  }

  /** Who it is was proved, which ends the wait. */
  proved(connection: object): void {
    const pending = this.#pending.get(connection)
    if (pending === undefined) return
    this.#pending.delete(connection)
    const origin = this.#origins.get(originOf(pending.connection))
    if (origin?.pending.delete(pending)) origin.open += 1
  }

  #closed(connection: MultiaddrConnection, origin: Origin): void {
    const pending = this.#pending.get(connection)
    if (pending === undefined) {
      origin.open -= 1
      return
    }
    this.#pending.delete(connection)
    origin.pending.delete(pending)
    this.#counters.refusedHandshakes.handshake += 1
  }

  #originOf(key: string): Origin | undefined {
    const known = this.#origins.get(key)
    if (known !== undefined) return known
    if (this.#origins.size >= maxAddresses) this.#forget()
    if (this.#origins.size >= maxAddresses) return undefined
    const origin: Origin = { pending: new Set(), open: 0, tokens: maxEachSecond, refilledAt: this.#now() }
    this.#origins.set(key, origin)
    return origin
  }

  #forget(): void {
    const before = this.#now() - 1000
    for (const [key, { pending, open, refilledAt }] of this.#origins) {
      if (pending.size === 0 && open === 0 && refilledAt < before) this.#origins.delete(key)
    }
  }

  #withinRate(origin: Origin): boolean {
    const now = this.#now()
    const refill = ((now - origin.refilledAt) * maxEachSecond) / 1000
    origin.tokens = Math.min(maxEachSecond, origin.tokens + refill)
    origin.refilledAt = now
    if (origin.tokens < 1) return false
    origin.tokens -= 1
    return true
  }

  #hasRoom(origin: Origin): boolean {
    if (origin.pending.size >= maxPendingEach) {
      this.#putOut(this.#oldest(origin, 'silent', slowMs) ?? this.#oldest(origin, 'heard', slowMs))
    }
    if (this.#pending.size < maxPending) return true
    let largest = origin
    for (const other of this.#origins.values()) if (other.pending.size > largest.pending.size) largest = other
    return this.#putOut(
      this.#oldest(largest, 'silent', silentMs) ??
        this.#oldest(largest, 'heard', slowMs) ??
        this.#oldest(largest, 'known', slowMs),
    )
  }

  #oldest({ pending }: Origin, progress: Progress, ageMs: number): Pending | undefined {
    const before = this.#now() - ageMs
    for (const one of pending) if (one.progress === progress && one.since <= before) return one
    return undefined
  }

  #putOut(pending: Pending | undefined): boolean {
    pending?.connection.abort(new Error('others need the room'))
    return pending !== undefined
  }
}

/** An IPv4 address, or the network of an IPv6 one: a machine has as many of its addresses as it likes. */
function originOf({ remoteAddr }: MultiaddrConnection): string {
  const { bytes } = remoteAddr
  return Buffer.from(bytes.subarray(0, bytes[0] === ip6Code ? 9 : 5)).toString('hex')
}

/** Of multiaddr's table of protocols. */
const ip6Code = 41

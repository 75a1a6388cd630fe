import './with-resolvers.ts'
import type { MultiaddrConnection } from '@libp2p/interface'
import type { Counters } from './counters.ts'
import { hasCode } from './key-file.ts'
import { Rate } from './rate.ts'

/** Handshakes under way from one address, from where those that get nowhere make room. */
const maxPendingEach = 128
/** And from all; each holds a socket and some kilobytes. */
export const maxPending = 256
/** Who has said nothing for so long may be put out when there is no room at all: an honest peer speaks at once. */
const silentMs = 250
/** Who gets nowhere for so long, when its address has many: a crowded machine may need that. */
const slowMs = 1000
/** Who knows the secret, when all have too many and its own address most: were it less, a crowd would end its own handshakes. */
const lateMs = 3000
/**
 * Connections a second from one address; on one machine 32 peers may dial a founder, and
 * knock at it, in one second. A handshake costs about 3 ms, so this bounds one address to a third of a core.
 */
const maxEachSecond = 128
/** Open ones that one address has made: with the secret and new identities it could take all. */
const maxOpenEach = 512
/** And that all have made. */
export const maxOpen = 1024
/** Addresses that are remembered, for a second or as long as something of them is open. */
const maxAddresses = 4096

/** `heard`: bytes came. `known`: such as only who has the secret can send. `proved`: who it is, by Noise. */
type Progress = 'silent' | 'heard' | 'known' | 'proved'

interface Pending {
  readonly connection: MultiaddrConnection
  readonly since: number
  progress: Progress
  /** That it did not get in was counted. */
  isCounted: boolean
}

interface Origin {
  /** Oldest first. */
  readonly pending: Set<Pending>
  open: number
  readonly rate: Rate
}

/**
 * Who knocks at the door, by address, until a connection of it is open; and how
 * many from one address are inside.
 *
 * libp2p refuses everybody while a fixed number of handshakes is under way, so a few
 * silent sockets a second would close the door. Here who gets nowhere is put out as
 * soon as somebody else needs the room: the honest need it for milliseconds. Who knows the secret is let
 * finish, for a machine on which a hundred peers start at once needs seconds, and what is broken off begins anew.
 */
export class Inbound {
  readonly #counters: Counters
  readonly #now: () => number
  readonly #origins = new Map<string, Origin>()
  readonly #pending = new Map<object, Pending>()
  #open = 0

  constructor(counters: Counters, now: () => number = () => performance.now()) {
    this.#counters = counters
    this.#now = now
  }

  /** A socket was accepted; false when it is to be closed at once. */
  admit(connection: MultiaddrConnection): boolean {
    const key = originOf(connection)
    const origin = this.#originOf(key)
    const admitted =
      origin !== undefined &&
      origin.open + origin.pending.size < maxOpenEach &&
      this.#open + this.#pending.size < maxOpen &&
      origin.rate.take(this.#now()) &&
      this.#hasRoom(origin)
    if (!admitted) {
      this.#counters.refusedHandshakes.crowded += 1
      return false
    }
    const pending: Pending = { connection, since: this.#now(), progress: 'silent', isCounted: false }
    origin.pending.add(pending)
    this.#pending.set(connection, pending)
    connection.addEventListener('close', ({ error }) => this.#closed(connection, origin, error), {
      once: true,
    })
    return true
  }

  progressed(connection: object, progress: Exclude<Progress, 'silent'>): void {
    const pending = this.#pending.get(connection)
    if (pending !== undefined) pending.progress = progress
  }

  /** Who it is may not come in. */
  denied(connection: object): void {
    this.#counters.refusedHandshakes.denied += 1
    const pending = this.#pending.get(connection)
    if (pending !== undefined) pending.isCounted = true
  }

  /** It is a connection, which ends the wait. */
  opened(connection: object): void {
    const pending = this.#pending.get(connection)
    if (pending === undefined) return
    const origin = this.#origins.get(originOf(pending.connection))
    if (origin === undefined) return
    this.#forgetPending(pending, origin)
    origin.open += 1
    this.#open += 1
  }

  #closed(connection: MultiaddrConnection, origin: Origin, error: Error | undefined): void {
    const pending = this.#pending.get(connection)
    if (pending === undefined) {
      origin.open -= 1
      this.#open -= 1
      return
    }
    this.#forgetPending(pending, origin)
    // Whoever only wanted to see who answers goes when that was proved.
    const isKnock = pending.progress === 'proved' && isRemote(error)
    if (!pending.isCounted && !isKnock) this.#counters.refusedHandshakes.handshake += 1
  }

  #forgetPending(pending: Pending, origin: Origin): void {
    this.#pending.delete(pending.connection)
    origin.pending.delete(pending)
  }

  #originOf(key: string): Origin | undefined {
    const known = this.#origins.get(key)
    if (known !== undefined) return known
    if (this.#origins.size >= maxAddresses) this.#forget()
    if (this.#origins.size >= maxAddresses) return undefined
    const rate = new Rate(maxEachSecond, maxEachSecond, this.#now())
    const origin: Origin = { pending: new Set(), open: 0, rate }
    this.#origins.set(key, origin)
    return origin
  }

  #forget(): void {
    const before = this.#now() - 1000
    for (const [key, { pending, open, rate }] of this.#origins) {
      if (pending.size === 0 && open === 0 && rate.at < before) this.#origins.delete(key)
    }
  }

  #hasRoom(origin: Origin): boolean {
    if (origin.pending.size >= maxPendingEach) {
      this.#putOut(this.#oldest(origin, 'silent', slowMs) ?? this.#oldest(origin, 'heard', slowMs))
    }
    if (this.#pending.size < maxPending) return true
    let largest = origin
    for (const other of this.#origins.values()) if (other.pending.size > largest.pending.size) largest = other
    const knownMs = largest === origin ? lateMs : slowMs
    return this.#putOut(
      this.#oldest(largest, 'silent', silentMs) ??
        this.#oldest(largest, 'heard', slowMs) ??
        this.#oldest(largest, 'known', knownMs) ??
        this.#oldest(largest, 'proved', knownMs),
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

function isRemote(error: Error | undefined): boolean {
  return error === undefined || hasCode(error, 'ECONNRESET') || hasCode(error, 'EPIPE')
}

/** An IPv4 address, or the network of an IPv6 one: a machine has as many of its addresses as it likes. */
function originOf({ remoteAddr }: MultiaddrConnection): string {
  const { bytes } = remoteAddr
  return Buffer.from(bytes.subarray(0, bytes[0] === ip6Code ? 9 : 5)).toString('hex')
}

/** Of multiaddr's table of protocols. */
const ip6Code = 41

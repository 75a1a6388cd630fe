import './with-resolvers.ts'
import type { ConnectionGater } from '@libp2p/interface'
import type { PeerId } from '../protocols/core.ts'
import { P2pdError } from '../wire/errors.ts'
import type { Counters } from './counters.ts'
import type { Inbound } from './inbound.ts'
import type { Store } from './store.ts'

/** Who may come in besides knowing the secret. */
export interface AdmissionList {
  /** False until the first `allow`: whoever knows the secret may come in. */
  readonly restricted: boolean
  readonly allowed: readonly PeerId[]
  readonly denied: readonly PeerId[]
}

/** The first `allow` would cut off peers that are in now; ask, then repeat it with `confirm`. */
export class ConfirmError extends P2pdError {
  readonly cutOff: readonly PeerId[]

  constructor(cutOff: readonly PeerId[]) {
    super('ERR_CONFIRM', `from now on only allowed peers may come in; this cuts off ${cutOff.length}`, {
      hint: `confirm it, and allow those that should stay: ${cutOff.slice(0, 16).join(' ')}`,
    })
    this.cutOff = cutOff
  }
}

export interface AdmissionInit {
  readonly store: Store
  readonly self: PeerId
  readonly counters: Counters
  /** Peers that are members or connected now. */
  readonly present: () => readonly PeerId[]
  /** Closes all connections of a peer that is no longer admitted. */
  readonly cut: (peer: PeerId) => void
  /** `peer` was put on the list of the denied, or taken off it. */
  readonly denied?: (peer: PeerId, denied: boolean) => void
}

const namespace = 'admission'
const key = 'list'
const maxListed = 10_000

/** The list of who may come in, kept in the store and asked by the connection gater. */
export class Admission {
  readonly #init: AdmissionInit
  #allowed: Set<PeerId>
  #denied: Set<PeerId>
  #restricted: boolean
  #changes: Promise<void> = Promise.resolve()

  constructor(init: AdmissionInit) {
    this.#init = init
    const list = decodeList(init.store.load(namespace).get(key))
    this.#allowed = new Set(list.allowed)
    this.#denied = new Set(list.denied)
    this.#restricted = list.restricted
  }

  list(): AdmissionList {
    return { restricted: this.#restricted, allowed: [...this.#allowed], denied: [...this.#denied] }
  }

  admits(peer: PeerId): boolean {
    return !this.#denied.has(peer) && (!this.#restricted || this.#allowed.has(peer))
  }

  /**
   * Lets `peers` in, all at once; the first time it also ends the time in which
   * the secret was enough. Errors: `ConfirmError` while that would cut somebody
   * off, unless `confirm`; ERR_TOO_MANY; those of the store.
   */
  async allow(
    peers: PeerId | readonly PeerId[],
    options: { readonly confirm?: boolean } = {},
  ): Promise<void> {
    const allowed = new Set([peers].flat())
    await this.#change(async () => {
      const cutOff = this.#restricted ? [] : this.#others(allowed)
      if (cutOff.length > 0 && options.confirm !== true) throw new ConfirmError(cutOff)
      await this.#replace({
        restricted: true,
        allowed: [...new Set([...this.#allowed, ...allowed])],
        denied: [...this.#denied].filter((other) => !allowed.has(other)),
      })
    })
  }

  /** Keeps `peer` out and closes its connections. Errors: ERR_SELF, ERR_TOO_MANY; those of the store. */
  async deny(peer: PeerId): Promise<void> {
    if (peer === this.#init.self) {
      throw new P2pdError('ERR_SELF', 'a peer cannot deny itself', {
        hint: 'leave instead, or deny it at the others',
      })
    }
    await this.#change(() =>
      this.#replace({
        restricted: this.#restricted,
        allowed: [...this.#allowed].filter((other) => other !== peer),
        denied: [...new Set([...this.#denied, peer])],
      }),
    )
  }

  #others(peers: ReadonlySet<PeerId>): readonly PeerId[] {
    return [...new Set(this.#init.present())].filter(
      (other) => !peers.has(other) && other !== this.#init.self,
    )
  }

  #change(run: () => Promise<void>): Promise<void> {
    const done = this.#changes.then(run)
    this.#changes = done.catch(() => {})
    return done
  }

  /** On the disk before it counts, so that a restart never lets in who was denied. */
  async #replace(list: AdmissionList): Promise<void> {
    if (list.allowed.length > maxListed || list.denied.length > maxListed) {
      throw new P2pdError('ERR_TOO_MANY', `a list holds at most ${maxListed} peers`)
    }
    await this.#init.store.write(namespace, new Map([[key, encodeList(list)]]))
    const before = this.#denied
    this.#allowed = new Set(list.allowed)
    this.#denied = new Set(list.denied)
    this.#restricted = list.restricted
    for (const peer of this.#denied) if (!before.has(peer)) this.#init.denied?.(peer, true)
    for (const peer of before) if (!this.#denied.has(peer)) this.#init.denied?.(peer, false)
    for (const peer of this.#others(new Set())) if (!this.admits(peer)) this.#init.cut(peer)
  }
}

/**
 * The list as libp2p's connection gater. Inbound peers are judged as soon as
 * Noise has proved who they are, before a stream can be opened.
 */
export function gaterOf(admits: (peer: PeerId) => boolean, inbound: Inbound): ConnectionGater {
  return {
    denyDialPeer: (peer) => !admits(peer.toString() as PeerId),
    denyInboundConnection: (connection) => !inbound.admit(connection),
    denyInboundEncryptedConnection: (peer, connection) => {
      inbound.progressed(connection, 'proved')
      const denied = !admits(peer.toString() as PeerId)
      if (denied) inbound.denied(connection)
      return denied
    },
    denyInboundUpgradedConnection: (_peer, connection) => {
      inbound.opened(connection)
      return false
    },
    denyOutboundEncryptedConnection: (peer) => !admits(peer.toString() as PeerId),
  }
}

function encodeList(list: AdmissionList): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(list))
}

function decodeList(bytes: Uint8Array | undefined): AdmissionList {
  if (bytes === undefined) return { restricted: false, allowed: [], denied: [] }
  return JSON.parse(new TextDecoder().decode(bytes)) as AdmissionList
}

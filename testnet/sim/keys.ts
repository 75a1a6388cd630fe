import type { Crypto, PeerId } from '../../lib/protocols/core.ts'
import { hash32, stretch } from './hash.ts'
import type { Random } from './random.ts'

const base58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const signatureLength = 64

/**
 * Identities and make-believe signatures: a keyed hash, cheap enough for
 * thousands of runs. Only who holds a host's `Crypto` signs in its name; anybody
 * verifies. Nothing in the simulator tries to break the hash itself.
 */
export class Keys {
  readonly #random: Random
  readonly #secrets = new Map<PeerId, number>()

  constructor(random: Random) {
    this.#random = random
  }

  /** A new identity that looks like libp2p's Ed25519 ones. */
  identity(): PeerId {
    let text = '12D3KooW'
    while (text.length < 52) text += base58[this.#random.whole(0, base58.length - 1)]
    const peer = text as PeerId
    this.#secrets.set(peer, this.#random.whole(0, 2 ** 32 - 1))
    return peer
  }

  /** What `peer`'s own core is given. */
  crypto(peer: PeerId): Crypto {
    const secret = this.#secret(peer)
    return {
      sign: (bytes) => stretch(bytes, secret, signatureLength),
      verify: (signer, bytes, signature) => this.#verify(signer, bytes, signature),
      sha256: (bytes) => stretch(bytes, 0, 32),
    }
  }

  #verify(signer: PeerId, bytes: Uint8Array, signature: Uint8Array): boolean {
    const secret = this.#secrets.get(signer)
    if (secret === undefined || signature.length !== signatureLength) return false
    const expected = stretch(bytes, secret, signatureLength)
    return hash32(expected) === hash32(signature)
  }

  #secret(peer: PeerId): number {
    const secret = this.#secrets.get(peer)
    if (secret === undefined) throw new Error(`no key for ${peer}`)
    return secret
  }
}

/**
 * Proof of the cluster's secret between two peers who know each other's ids.
 *
 * ```
 *   A ── nonce a ─────────────────────────▶ B
 *   A ◀── nonce b, MAC(answer, A, B, a, b) ── B     B knows the secret
 *   A ── MAC(ask, A, B, a, b) ────────────▶ B     A knows it, too
 * ```
 *
 * The shape of a mutual challenge and response as in ISO/IEC 9798-4, three
 * passes. Each names both peers and its own role, so that a proof is worth
 * nothing to anybody else, nor turned round. The channel must have proved who
 * the two are before.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { PeerId } from '../protocols/core.ts'

export const nonceBytes = 32
export const proofBytes = 32

export interface Exchange {
  /** Who asks first, and who answers. */
  readonly asker: PeerId
  readonly answerer: PeerId
  readonly askerNonce: Uint8Array
  readonly answererNonce: Uint8Array
}

export type ProofRole = 'ask' | 'answer'

export class SecretProof {
  readonly #key: Uint8Array

  /** A key of its own, so that nothing else that is made of the secret can stand for a proof. */
  constructor(secret: Uint8Array, cluster: string) {
    this.#key = createHmac('sha256', secret).update(`p2pd admission\0${cluster}`).digest()
  }

  nonce(): Uint8Array {
    return new Uint8Array(randomBytes(nonceBytes))
  }

  prove(role: ProofRole, { asker, answerer, askerNonce, answererNonce }: Exchange): Uint8Array {
    // Ids have no zero byte, and the nonces are of one length.
    const mac = createHmac('sha256', this.#key).update(`${role}\0${asker}\0${answerer}\0`)
    return new Uint8Array(mac.update(askerNonce).update(answererNonce).digest())
  }

  verify(role: ProofRole, exchange: Exchange, proof: Uint8Array): boolean {
    return proof.byteLength === proofBytes && timingSafeEqual(proof, this.prove(role, exchange))
  }
}

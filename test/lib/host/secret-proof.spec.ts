import assert from 'node:assert/strict'
import { type Exchange, SecretProof } from '../../../lib/host/secret-proof.ts'
import type { PeerId } from '../../../lib/protocols/core.ts'

const secret = new Uint8Array(32).fill(7)
const bytes = (value: number) => new Uint8Array(32).fill(value)

const exchange: Exchange = {
  asker: 'ada' as PeerId,
  answerer: 'bob' as PeerId,
  askerNonce: bytes(1),
  answererNonce: bytes(2),
}

describe('a proof of the secret', () => {
  const proof = new SecretProof(secret, 'cluster')

  it('convinces whoever knows the secret', () => {
    const other = new SecretProof(secret, 'cluster')
    for (const role of ['ask', 'answer'] as const) {
      assert.equal(other.verify(role, exchange, proof.prove(role, exchange)), true)
    }
  })

  it('is worth nothing for another role, another peer, another exchange, another cluster or another secret', () => {
    const given = proof.prove('answer', exchange)
    assert.equal(proof.verify('ask', exchange, given), false)
    const others: readonly Exchange[] = [
      { ...exchange, asker: 'eve' as PeerId },
      { ...exchange, answerer: 'eve' as PeerId },
      { ...exchange, asker: exchange.answerer, answerer: exchange.asker },
      { ...exchange, askerNonce: bytes(3) },
      { ...exchange, answererNonce: bytes(3) },
      { ...exchange, askerNonce: bytes(2), answererNonce: bytes(1) },
    ]
    for (const other of others) assert.equal(proof.verify('answer', other, given), false)
    for (const other of [new SecretProof(secret, 'other'), new SecretProof(bytes(8), 'cluster')]) {
      assert.equal(other.verify('answer', exchange, given), false)
    }
  })

  it('is none when it is cut off or empty', () => {
    const given = proof.prove('answer', exchange)
    for (const part of [given.subarray(1), given.subarray(0, 31), new Uint8Array(0), new Uint8Array(64)]) {
      assert.equal(proof.verify('answer', exchange, part), false)
    }
  })

  it('draws a nonce anew each time', () => {
    assert.notDeepEqual(proof.nonce(), proof.nonce())
  })
})

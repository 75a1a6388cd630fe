/**
 * A view in 64 bits: the sum, modulo 2^64, of a hash of what each member's row
 * says. Equal views have equal digests; a change costs one subtraction and one
 * addition, whatever the number of members.
 */
export class Digest {
  readonly #hash: (bytes: Uint8Array) => Uint8Array
  readonly #rows = new Map<string, bigint>()
  #sum = 0n

  constructor(hash: (bytes: Uint8Array) => Uint8Array) {
    this.#hash = hash
  }

  get value(): bigint {
    return this.#sum
  }

  /** `row` is everything that should be equal at two members which agree on `peer`. */
  set(peer: string, row: string): void {
    const text = `${peer} ${row}`
    const bytes = new Uint8Array(text.length)
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
    const hash = first64Bits(this.#hash(bytes))
    this.#sum = BigInt.asUintN(64, this.#sum - (this.#rows.get(peer) ?? 0n) + hash)
    this.#rows.set(peer, hash)
  }

  delete(peer: string): void {
    this.#sum = BigInt.asUintN(64, this.#sum - (this.#rows.get(peer) ?? 0n))
    this.#rows.delete(peer)
  }
}

function first64Bits(hash: Uint8Array): bigint {
  let value = 0n
  for (let i = 0; i < 8; i++) value = (value << 8n) | BigInt(hash[i] ?? 0)
  return value
}

/**
 * 64 bits of a text, well mixed and of no cryptographic worth: for digests and for
 * orders that everybody has to agree on. Two lanes of MurmurHash3's mixing.
 */
export interface Hash64 {
  readonly high: number
  readonly low: number
}

/** Of the text's UTF-16 units. */
export function hash64(text: string): Hash64 {
  let high = 0x3c6ef372
  let low = 0x1b873593
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    high = mix(high, unit)
    low = mix(low, unit ^ 0x5bd1)
  }
  return { high: finish(high ^ text.length), low: finish(low + high) }
}

/** A place on the ring of that number: a whole number below 2^53, another one for each ring. */
export function placeOnRing({ high, low }: Hash64, ring: number): number {
  const upper = finish(high ^ Math.imul(ring + 1, 0x9e3779b1))
  const lower = finish(low ^ Math.imul(ring + 1, 0x85ebca77) ^ upper)
  return (upper & 0x1fffff) * 2 ** 32 + lower
}

function mix(hash: number, unit: number): number {
  let k = Math.imul(unit, 0xcc9e2d51)
  k = (k << 15) | (k >>> 17)
  const mixed = hash ^ Math.imul(k, 0x1b873593)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

function finish(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

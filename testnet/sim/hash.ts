/**
 * Hashes for the trace and for make-believe signatures: fast, well mixed, and of
 * no cryptographic worth. MurmurHash3's mixing over four lanes.
 */

/** 32 bits of `bytes` under `seed`. */
export function hash32(bytes: Uint8Array, seed = 0): number {
  let h = seed | 0
  const whole = bytes.length & ~3
  for (let i = 0; i < whole; i += 4) {
    const word =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24)
    h = mixIn(h, word)
  }
  let tail = 0
  for (let i = whole; i < bytes.length; i++) tail = (tail << 8) | (bytes[i] as number)
  return finish(mixIn(h, tail) ^ bytes.length)
}

/** 32 bits of the UTF-16 units of `text` under `seed`. */
export function hashText(text: string, seed = 0): number {
  let h = seed | 0
  for (let i = 0; i < text.length; i++) h = mixIn(h, text.charCodeAt(i))
  return finish(h ^ text.length)
}

/** `length` bytes (a multiple of 4) that depend on all of `bytes` and on `seed`. */
export function stretch(bytes: Uint8Array, seed: number, length: number): Uint8Array {
  const out = new Uint8Array(length)
  const low = hash32(bytes, seed)
  const high = hash32(bytes, seed ^ 0x9e3779b9)
  for (let i = 0; i < length; i += 4) {
    const word = finish(mixIn(mixIn(low, i), high))
    out[i] = word
    out[i + 1] = word >>> 8
    out[i + 2] = word >>> 16
    out[i + 3] = word >>> 24
  }
  return out
}

export function mixIn(h: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51)
  k = (k << 15) | (k >>> 17)
  const mixed = h ^ Math.imul(k, 0x1b873593)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

export function finish(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

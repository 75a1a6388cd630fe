import { maxVectorEntriesPerFrame } from '../../wire/limits.ts'

/** Limits on what comes from outside; each is checked before anything is kept. */
export const multicastLimits = {
  /** Of one payload, and of all payloads of an envelope together, bytes. */
  payloadBytes: 1024 * 1024,
  payloads: 64,
  /** 1024 dependencies of 24 bytes, and room for the rest. */
  headerBytes: 24 * 1024 + 1024,
  dependencies: 1024,
  signatureBytes: 128,
  /** Groups that one peer is in: each heartbeat carries a tail of each. */
  groups: 256,
  /** Exact in a double, with room to count on. */
  counter: 2 ** 52,
  /** A dependency has 5 bytes for it. */
  seq: 2 ** 40 - 1,
  /** Envelopes that one author may be ahead of what is delivered. */
  aheadPerAuthor: 1000,
  heldBytesPerAuthor: 16 * 1024 * 1024,
  heldBytes: 64 * 1024 * 1024,
  /** Entries of a vector, in one frame. */
  vectorEntries: maxVectorEntriesPerFrame,
  /** Ranges of one pull, and dots of one inquiry. */
  ranges: 256,
  dots: 1024,
  /** A supply stops at whichever is first; it always holds one envelope. */
  supplyEnvelopes: 256,
  supplyBytes: 1024 * 1024,
  /** Headers in one frame of a baseline. */
  baselineHeaders: 512,
  proofs: 16,
  /** In all messages of one frame together; a vector's entry has up to 5 of them. */
  frameFields: 65_536,
  /** What publishers may have waiting for a baseline. */
  waitingPublishes: 1024,
  waitingBytes: 16 * 1024 * 1024,
} as const

/**
 * A protocol is a pure state machine: inputs in, effects out.
 *
 * A core never reads a clock, opens a socket, draws from a global source of
 * randomness or awaits anything. The real driver (`lib/host/driver.ts`) and the
 * simulator (`testnet/sim/`) run the same cores and pass every message through
 * the same codecs, so a difference between the two is a bug of the host.
 *
 * The embedder's duties:
 *
 * 1. `step` is synchronous and never re-entered; inputs are stepped one by one.
 * 2. Effects are carried out in the order returned. `persist` is a barrier: the
 *    later effects of that core wait until the write is durable, while further
 *    inputs go on being stepped (their effects queue behind it). The records
 *    of one step reach the disk together or not at all, and later ones may come
 *    with them: a host writes in groups.
 * 3. When `deadline` is reached, step `wake`. One deadline instead of timer
 *    effects: there is nothing to cancel and no stale timer.
 * 4. Input that lies in the sockets when a deadline fires is stepped before the
 *    `wake`: a stalled event loop must not turn an answer that has arrived into
 *    a time-out.
 * 5. A throw from `step` is a broken assertion, never a peer's misbehaviour;
 *    the embedder stops.
 */
export interface Core<Message, Command extends { readonly type: string }, Event, Request = never> {
  step(input: Input<Message, Command>, now: Instant): readonly Effect<Message, Event, Request>[]
  /** Monotonic milliseconds at which a `wake` is due; undefined when nothing is pending. */
  readonly deadline: number | undefined
}

export type Input<Message, Command> =
  | { readonly type: 'receive'; readonly from: PeerId; readonly message: Message }
  /** `lagMs`: how late the timer itself fired, before waiting input was let in. */
  | { readonly type: 'wake'; readonly lagMs: number }
  | Command

export type Effect<Message, Event, Request = never> =
  /** Best effort, in order a peer, over that peer's link; dropped while there is none. */
  | { readonly type: 'send'; readonly to: PeerId; readonly message: Message }
  /** Write `value` under `key` of the core's own namespace, durably; undefined deletes the key. */
  | { readonly type: 'persist'; readonly key: string; readonly value: Uint8Array | undefined }
  /**
   * Write `value` under `key` soon. Nothing waits for it, a crash may lose it, and
   * a newer note of the key replaces one that was not yet written.
   */
  | { readonly type: 'note'; readonly key: string; readonly value: Uint8Array }
  /** Tell whoever embeds the core. */
  | { readonly type: 'emit'; readonly event: Event }
  | Request

/** Monotonic and wall time in milliseconds, read together. Only `monotonic` measures ages. */
export interface Instant {
  readonly monotonic: number
  readonly wall: number
}

/** libp2p's textual peer id (base58 of an Ed25519 identity multihash), at most 64 characters. */
export type PeerId = string & { readonly __brand: 'PeerId' }

/** Bytes to message and back. `decode` throws a `WireError` and nothing else. */
export interface Codec<Message> {
  encode(message: Message): Uint8Array
  decode(bytes: Uint8Array): Message
}

/** What a core may ask of cryptography: synchronous, injected, cheap in the simulator. */
export interface Crypto {
  sign(bytes: Uint8Array): Uint8Array
  verify(signer: PeerId, bytes: Uint8Array, signature: Uint8Array): boolean
  sha256(bytes: Uint8Array): Uint8Array
}

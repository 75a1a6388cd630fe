/**
 * What this peer has counted since it started. Plain mutable numbers, read by
 * metrics; the keys of the records come from this code, never from outside.
 */
export interface Counters {
  framesIn: number
  framesOut: number
  bytesIn: number
  bytesOut: number
  /** Frames that came or went nowhere, by reason. */
  readonly dropped: Record<DropReason, number>
  /** Dials by outcome. */
  readonly dials: Record<string, number>
  /** Connects of the fast path, by outcome. */
  readonly knocks: Record<string, number>
  /** Inbound connections that did not get in, by reason. */
  readonly refusedHandshakes: Record<RefusalReason, number>
  connectionsOpened: number
  connectionsClosed: number
  /** Connections closed because of what the peer sent. */
  linksCut: number
  storeWrites: number
  storeFailures: number
  /** Gossip messages: own ones, and those of others by what was made of them. */
  readonly gossip: { published: number; accept: number; reject: number; ignore: number }
  /** Gossip streams that were lost and opened anew. */
  gossipReopened: number
  /** Connections closed because gossip would not flow over them. */
  gossipResets: number
  /** How late the last and the latest timer fired, ms. */
  loopLagMs: number
  loopLagMaxMs: number
}

export type DropReason =
  /** Sent, but the peer has no open connection. */
  | 'not-connected'
  /** Sent, but the peer does not read fast enough. */
  | 'queue-full'
  /** Sent or received, but the store is behind and the effects wait. */
  | 'store-behind'
  /** Own gossip, not taken: the peers do not read fast enough. */
  | 'gossip-full'
  /** Received: a length above the limit, or one that is no length. */
  | 'oversized'
  | 'malformed'
  /** Received: the codec takes it, the protocol does not. */
  | 'misbehaved'

export type RefusalReason =
  /** Another secret, or no p2pd at all. */
  | 'handshake'
  /** The list of who may come in. */
  | 'denied'
  /** Too many from one address, or in all. */
  | 'crowded'
  /** It was open, and no frame came. */
  | 'mute'

export function newCounters(): Counters {
  return {
    framesIn: 0,
    framesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    dropped: {
      'not-connected': 0,
      'queue-full': 0,
      'store-behind': 0,
      'gossip-full': 0,
      oversized: 0,
      malformed: 0,
      misbehaved: 0,
    },
    dials: {},
    knocks: {},
    refusedHandshakes: { handshake: 0, denied: 0, crowded: 0, mute: 0 },
    connectionsOpened: 0,
    connectionsClosed: 0,
    linksCut: 0,
    storeWrites: 0,
    storeFailures: 0,
    gossip: { published: 0, accept: 0, reject: 0, ignore: 0 },
    gossipReopened: 0,
    gossipResets: 0,
    loopLagMs: 0,
    loopLagMaxMs: 0,
  }
}

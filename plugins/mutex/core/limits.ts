/** Limits on what other peers, and callers, can make this one keep. */
export const mutexLimits = {
  /** A lock's name, in bytes of UTF-8. */
  nameBytes: 256,
  /** Unfinished requests of one peer, at it and at an arbiter. */
  requestsPerPeer: 1024,
  /** Requests at an arbiter, over all peers. */
  requests: 16_384,
  /** Locks with a vote or a queue at an arbiter. */
  locks: 4096,
  /** Locks whose counter an arbiter remembers; an idle one that is forgotten raises the floor. */
  counters: 8192,
  /** Peers and locks of which an arbiter remembers when it last voted. */
  floors: 8192,
  /** Members that are remembered; membership has no more. */
  members: 10_000,
  /** Grants in a report: every lock once a peer that votes in the largest electorate. */
  grants: 4096,
  /** Items in one frame. */
  items: 8192,
  /** Links of a chain in one frame; more come when asked for. */
  links: 64,
  /** Links of a chain at all: a change a minute for two months. */
  chain: 100_000,
  /** Contradictions of voters that are kept. */
  conflicts: 64,
  /** Grants of others that are remembered to compare them. */
  statements: 8192,
  /** What one signature of an arbiter covers. */
  statementsPerSignature: 256,
  /** Encoded: 256 of the longest names fit. */
  statementBytes: 96 * 1024,
  signatureBytes: 64,
  /** Of an electorate, whatever its charter says. */
  voters: 7,
  /** Why something was refused, for people. */
  reasonLength: 256,
  /** Any lease and any time that remains, ms: a day, far above what a charter may say. */
  durationMs: 86_400_000,
  /** Messages inside one frame, at any depth. */
  frameMessages: 65_536,
  /** Shown of a queue, and of all queues together. */
  waitersShown: 64,
  waitersShownAtAll: 8192,
  /** Locks in one answer to people. */
  locksShown: 1024,
  /** Of what one peer asks, of what it answers, and of the rest, in one frame; more follows in the next. */
  bytesAtOnce: 512 * 1024,
  /** A signature over more than this is not shown with a release: the vote stands without it. */
  evidenceBytes: 1024,
  /** Of all signed statements that are remembered. */
  testimonyBytes: 16 * 1024 * 1024,
  /** Largest frame; a report with 4096 grants of the longest names fits. */
  frameBytes: 2 * 1024 * 1024,
} as const

/** A request's timestamp that is further ahead of its arbiter's clock than this is nobody's honest count. */
export const maxTimestampLead = 2 ** 40

/**
 * Up to here a clock, or a token, of somebody else is taken over whatever it says: to refuse one that is
 * far ahead would cut off whoever has believed it. A quarter of all numbers at most is lost to a liar.
 */
const mostLeap = 2 ** 51
/** Beyond, steps are small: five days of ten thousand frames a second to the end. */
const maxLateLead = 2 ** 20

/** The furthest that a count of somebody else can bring the own one in one step. */
export function reachOf(own: number): number {
  return Math.max(own, mostLeap) + maxLateLead
}

/** No clock is adopted above: it has to go on. */
export const maxAdoptedClock = 2 ** 53 - 2 ** 41

/** No token is above: a voter that is recovered has to go on after it. */
export const maxToken = 2 ** 53 - 1 - 2 ** 33

/** Added to the floor of a voter that is recovered by hand: more than it can have granted in the meantime. */
export const recoveryLead = 2 ** 32

/** Every knob of membership, with its unit and where the default comes from. */
export interface MembershipConfig {
  /** Between two rounds of probes, ms. A probe fails at the end of its period (SWIM §3.1). */
  readonly probePeriodMs: number
  /** Clamp of the adaptive time-out of a direct probe, srtt + 4·rttvar (Jacobson 1988), ms. */
  readonly timeoutMinMs: number
  readonly timeoutMaxMs: number
  /** Helpers asked when the direct probe is not answered (SWIM's k). */
  readonly indirectProbes: number
  /** Up to this many members all others are probed each period. */
  readonly probeAllUpTo: number
  /** Up to this many members each keeps a connection to every other; above, rings decide (Suresh et al. 2018, Rapid §4.1). */
  readonly meshUpTo: number
  /** Above `meshUpTo`: on so many hash rings each watches its successor. */
  readonly rings: number
  /** Above `meshUpTo`: between two dials of somebody at random, ms. */
  readonly randomDialMs: number
  /** Suspicion time-out, ms, before × max(1, log10 n); the maximum is `suspicionMaxFactor` × it (Lifeguard). */
  readonly suspicionMinMs: number
  readonly suspicionMaxFactor: number
  /** So many own dials in a row must fail before silence alone is a death. */
  readonly evidenceDials: number
  /** A process whose machine accepts connects stays a member for so long without a word, ms. */
  readonly stalledMs: number
  /** Gossip goes to this many members each tick while there is something to say. */
  readonly gossipFanout: number
  readonly gossipTickMs: number
  /** An update is retransmitted this × ⌈log2(n + 1)⌉ times (SWIM §4.1). */
  readonly retransmitFactor: number
  /** Between two syncs with one peer whose digest differs, ms. */
  readonly syncIntervalMs: number
  /** Syncs under way at once, with whomever. */
  readonly maxSyncs: number
  /** Between two rounds of dialling the dead and the unconnected, ms. */
  readonly healIntervalMs: number
  /** Limit of one dial, ms. A handshake takes milliseconds, but one cut short on a busy machine is work for nothing. */
  readonly dialTimeoutMs: number
  /** The fast path: a closed connection and refused connects prove a dead process. Off behind a REJECT firewall. */
  readonly fastPath: boolean
  /** After the remote closed, ms, one per round of connects. */
  readonly knockAtMs: readonly number[]
  readonly knockTimeoutMs: number
  /** A joiner is dialled back by this many neighbours within this time. */
  readonly dialBackNeighbours: number
  readonly dialBackWithinMs: number
  /** A joining member waits this long for its first contact before it is alive alone, ms. */
  readonly joinWaitMs: number
  /** A departure is over after this many acknowledgements or this long. */
  readonly leaveAcks: number
  readonly leaveWaitMs: number
  /** Another life of the own identity heard this recently is running now. */
  readonly identityInUseWithinMs: number
  /** Most members in a view; a record beyond it is refused. */
  readonly maxMembers: number
  /** Most bytes of signed records in a view; who would exceed it is refused, or keeps its former record. */
  readonly maxRecordBytes: number
  /** The dead and those who left stay in the table for so long, ms, and no more of them than `maxGone`. */
  readonly goneMs: number
  readonly maxGone: number
  /** A life that is gone is remembered, and its addresses are dialled, for so long, ms; at most `maxTombstones`. */
  readonly tombstoneMs: number
  readonly maxTombstones: number
  /** Most persisted peers and hints. */
  readonly maxHints: number
  /** An incarnation further ahead of the known one is refused. */
  readonly maxIncarnationJump: number
}

const lan: MembershipConfig = {
  probePeriodMs: 1000,
  timeoutMinMs: 100,
  timeoutMaxMs: 500,
  indirectProbes: 3,
  probeAllUpTo: 8,
  meshUpTo: 64,
  rings: 8,
  randomDialMs: 10_000,
  suspicionMinMs: 3000,
  suspicionMaxFactor: 6,
  evidenceDials: 5,
  stalledMs: 30_000,
  gossipFanout: 3,
  gossipTickMs: 100,
  retransmitFactor: 3,
  syncIntervalMs: 10_000,
  maxSyncs: 8,
  healIntervalMs: 5000,
  dialTimeoutMs: 3000,
  fastPath: true,
  knockAtMs: [0, 200, 400],
  knockTimeoutMs: 500,
  dialBackNeighbours: 8,
  dialBackWithinMs: 2000,
  joinWaitMs: 3000,
  leaveAcks: 3,
  leaveWaitMs: 1000,
  identityInUseWithinMs: 10_000,
  maxMembers: 10_000,
  // An ordinary record has some 300 bytes.
  maxRecordBytes: 16 * 1024 * 1024,
  goneMs: 24 * 3_600_000,
  maxGone: 1024,
  tombstoneMs: 7 * 24 * 3_600_000,
  maxTombstones: 65_536,
  maxHints: 1024,
  maxIncarnationJump: 2 ** 20,
}

/**
 * Rule of thumb: `lan` for machines in one building, `local` for processes on one
 * machine, `wan` where round trips take tens of milliseconds and more.
 */
export const profiles = {
  lan,
  local: {
    ...lan,
    probePeriodMs: 500,
    timeoutMaxMs: 300,
    suspicionMinMs: 2000,
    gossipTickMs: 50,
    syncIntervalMs: 5000,
    healIntervalMs: 3000,
  },
  wan: {
    ...lan,
    probePeriodMs: 3000,
    timeoutMinMs: 500,
    timeoutMaxMs: 2000,
    indirectProbes: 4,
    suspicionMinMs: 10_000,
    gossipFanout: 4,
    gossipTickMs: 300,
    syncIntervalMs: 30_000,
    healIntervalMs: 15_000,
    dialTimeoutMs: 10_000,
    knockTimeoutMs: 2000,
    joinWaitMs: 10_000,
    leaveWaitMs: 3000,
  },
} as const satisfies Record<string, MembershipConfig>

export type Profile = keyof typeof profiles

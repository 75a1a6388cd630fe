/**
 * What happened to locks, as it is recorded: by the simulator in true time, by
 * the test cluster on one monotonic clock. Shares no code with what is judged.
 *
 * `at` is milliseconds on one clock that never goes back, that of the machine:
 * real processes may each stamp their own events with it. Checkers sort by `at`;
 * what has the same `at` stays in the order in which it is given, which is then
 * the order in which it happened.
 *
 * A recorder of real processes cannot know the very instant at which a lock was
 * got or given up, and need not. It owes this, and then no verdict is a false
 * alarm, however late its processes are scheduled:
 *
 * - `entered` is stamped when the holder already works under the lock, and `left`
 *   while it still does: before it releases, or at the last instant at which it was
 *   seen to work (a look at its lease that it passed, a line that it wrote). So what
 *   is recorded lies within what happened: two recorded stays that overlap did so
 *   in truth, and where none do, their order is the true order of entry.
 * - `asked` is stamped before the request is made, `answered` after the answer is
 *   there, and `queued` once the request is at a quorum for sure. So a recorded wait
 *   is no shorter than the true one.
 * - `shown` is stamped by the resource itself, in the order in which it decides.
 * - What is done to the peers is stamped so that its effects lie behind it: `gone`
 *   and the end of a calm before the deed; that no quorum is left after the deed
 *   that takes it, that there may be one again before the deed that brings it back.
 * - Whoever has `entered` and did not leave still holds the lock at the end: a recorder
 *   says of each that is gone when it was last seen to work.
 *
 * What the recorder cannot see it leaves out; what it leaves out is not judged.
 */
export type MutexEvent = StayEvent | RequestEvent | ShownEvent | SceneEvent | VoteEvent

/** A life of a peer between entering and leaving; `lock`, `peer`, `life` and `token` name its stay. */
export type StayEvent =
  /** This life of the peer may work under the lock from now on. */
  | {
      readonly type: 'entered'
      readonly at: number
      readonly lock: string
      readonly peer: string
      readonly life: number
      readonly token: number
      /** What it had asked with. Required where requests are recorded. */
      readonly request?: number
      /** Of the electorate whose votes it entered on; with it the votes are judged as well. */
      readonly version?: number
      /** When its right ends by its own reckoning, in true time; `renewed` moves it. */
      readonly until?: number
    }
  /** Its right ends at `until` now. */
  | {
      readonly type: 'renewed'
      readonly at: number
      readonly lock: string
      readonly peer: string
      readonly life: number
      readonly token: number
      readonly until: number
    }
  /** It no longer does: it has released, knows that the lock is lost, or is gone. */
  | {
      readonly type: 'left'
      readonly at: number
      readonly lock: string
      readonly peer: string
      readonly life: number
      readonly token: number
      readonly how: 'released' | 'lost' | 'died'
    }

export type RequestEvent =
  /** A caller asks; `request` is the recorder's own number of it. */
  | {
      readonly type: 'asked'
      readonly at: number
      readonly lock: string
      readonly peer: string
      readonly life: number
      readonly request: number
      /** Who asks, where several at one peer do: it has no second request beside its first. The peer by default. */
      readonly caller?: string
    }
  /** By now it stands in the queues of a quorum of voters. */
  | { readonly type: 'queued'; readonly at: number; readonly request: number }
  /** What became of it. */
  | {
      readonly type: 'answered'
      readonly at: number
      readonly request: number
      readonly outcome: 'entered' | 'held' | 'no-quorum' | 'cancelled' | 'failed'
    }

/** A resource was shown a token, and took it or refused it. */
export type ShownEvent = {
  readonly type: 'shown'
  readonly at: number
  readonly lock: string
  readonly token: number
  readonly taken: boolean
  /** Where one lock guards several. */
  readonly resource?: string
}

/** What happens to the peers themselves. */
export type SceneEvent =
  | {
      readonly type: 'voters'
      readonly at: number
      readonly version: number
      readonly voters: readonly string[]
    }
  /** This life of the peer ends: nobody will hear what became of its requests. Its stays need their own `left`. */
  | { readonly type: 'gone'; readonly at: number; readonly peer: string; readonly life: number }
  /** Whether `peer`, or everybody where none is named, can reach a quorum of voters that run. They can at first. */
  | {
      readonly type: 'quorum'
      readonly at: number
      readonly reachable: boolean
      readonly peer?: string
    }
  /** While calm, nothing is done to anybody, and whatever was done is over and mended. It is not calm at first. */
  | { readonly type: 'calm'; readonly at: number; readonly calm: boolean }

/** What arbiters do, in true time, for a simulator that sees it. `request` is the one that has the vote. */
export type VoteEvent =
  | {
      readonly type: 'voted'
      readonly at: number
      readonly lock: string
      readonly arbiter: string
      readonly version: number
      readonly request: number
      /** When the vote ends unless it is extended, in true time by the arbiter's clock. */
      readonly until: number
    }
  | {
      readonly type: 'extended'
      readonly at: number
      readonly lock: string
      readonly arbiter: string
      readonly version: number
      readonly request: number
      readonly until: number
    }
  /** By its requester; a crash of the arbiter frees nothing. */
  | {
      readonly type: 'freed'
      readonly at: number
      readonly lock: string
      readonly arbiter: string
      readonly version: number
      readonly request: number
    }

/** What a history is judged by. `Infinity` switches one off. */
export interface MutexBounds {
  /**
   * No clock runs faster or slower than the electorate's drift bound allows. False:
   * leases promise nothing, and of holders and tokens no more is asked than that
   * fenced resources are safe and no token is given twice.
   */
  readonly timely: boolean
  /** Requests of one caller that are asked after another one is at a quorum and enter before it. */
  readonly overtaking: number
  /** Who waits while no quorum can be reached is told so within this, ms. */
  readonly noQuorumMs: number
  /** While it is calm a request is answered, with the lock or that it is held, within this, ms. */
  readonly calmMs: number
  /** Nothing is under way when the history ends: every request has been answered. */
  readonly quietAtEnd: boolean
}

/** A property that the history breaks, with what a person needs to find it. */
export interface Violation {
  readonly property: string
  readonly at: number
  readonly message: string
}

/** What one checker found: the breaches, and figures for people. */
export interface Verdict<Figures> {
  readonly violations: readonly Violation[]
  readonly figures: Figures
}

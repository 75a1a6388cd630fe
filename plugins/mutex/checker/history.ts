/**
 * What happened to locks, as it is recorded: by the simulator in true time, by
 * the test cluster on one monotonic clock. Shares no code with what is judged.
 */
export type MutexEvent =
  /** This life of the peer may work under the lock from now on. */
  | {
      readonly type: 'entered'
      readonly at: number
      readonly lock: string
      readonly peer: string
      readonly life: number
      readonly token: number
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
  /** A resource was shown a token, and took it or refused it. */
  | {
      readonly type: 'shown'
      readonly at: number
      readonly lock: string
      readonly token: number
      readonly taken: boolean
    }
  /** A caller asks; `request` is the recorder's own number of it. */
  | {
      readonly type: 'asked'
      readonly at: number
      readonly lock: string
      readonly peer: string
      readonly life: number
      readonly request: number
    }
  /** What became of it. */
  | {
      readonly type: 'answered'
      readonly at: number
      readonly request: number
      readonly outcome: 'entered' | 'held' | 'no-quorum' | 'cancelled' | 'failed'
    }
  | {
      readonly type: 'voters'
      readonly at: number
      readonly version: number
      readonly voters: readonly string[]
    }

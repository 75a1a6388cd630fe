/**
 * What was done to a cluster and what its members then said, on one clock.
 *
 * Recorded by whoever drives the cluster (the simulator, or the harness of real
 * processes, which reads each daemon's event stream), never by the code that is
 * judged. `at` is milliseconds on the recorder's monotonic clock; events are in
 * the order of `at`. What is done is recorded before it is done, so that nobody
 * can be seen to react to it earlier.
 */
export type HistoryEvent =
  /**
   * A process of this peer was started; `life` counts its starts from 1.
   * `forgetful`: on a disk that was wiped or restored from a backup.
   */
  | {
      readonly at: number
      readonly type: 'started'
      readonly peer: string
      readonly life: number
      readonly forgetful?: boolean
    }
  /** It takes part. `generation`: the one that it says it has, where its own row is not recorded. */
  | { readonly at: number; readonly type: 'ready'; readonly peer: string; readonly generation?: number }
  /** Ended without a word: SIGKILL, power cut. */
  | { readonly at: number; readonly type: 'killed'; readonly peer: string }
  /** Told to stop, keeping its membership: SIGTERM. */
  | { readonly at: number; readonly type: 'stopped'; readonly peer: string }
  /** Somebody took that life, shown dead, out of the membership (force-leave); before it is shown `left`. */
  | { readonly at: number; readonly type: 'dismissed'; readonly peer: string; readonly generation: number }
  /** Gave up its membership. */
  | { readonly at: number; readonly type: 'left'; readonly peer: string }
  /** It stands still: the process alone (SIGSTOP, a long stall), or the whole machine, which then accepts nothing. */
  | { readonly at: number; readonly type: 'paused'; readonly peer: string; readonly machine?: boolean }
  | { readonly at: number; readonly type: 'resumed'; readonly peer: string }
  /** No bytes pass from any of `from` to any of `to` until `healed`. */
  | {
      readonly at: number
      readonly type: 'cut'
      readonly from: readonly string[]
      readonly to: readonly string[]
    }
  /** Loss or delay beyond what the bounds allow for, until `healed`: only safety is judged meanwhile. */
  | { readonly at: number; readonly type: 'degraded' }
  /** Ends every `cut` and `degraded`. */
  | { readonly at: number; readonly type: 'healed' }
  /** `observer`'s row for `subject` changed, or was first seen, as given. */
  | ViewEvent
  /** All of these run, are ready and show each other alive so; said once, first, of crowds too large to tell each pair. */
  | {
      readonly at: number
      readonly type: 'formed'
      readonly members: readonly {
        readonly peer: string
        readonly generation: number
        readonly incarnation: number
      }[]
    }
  /** The recorder stopped recording. */
  | { readonly at: number; readonly type: 'end' }

export interface ViewEvent {
  readonly at: number
  readonly type: 'view'
  readonly observer: string
  readonly subject: string
  readonly status: ViewStatus
  readonly generation: number
  readonly incarnation: number
  /** With `suspect`: its machine accepts connects, its process does not answer. */
  readonly stalled?: boolean
}

export type ViewStatus = 'alive' | 'suspect' | 'dead' | 'left'

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

/** What a history is judged by. `Infinity` switches one off. */
export interface MembershipBounds {
  /** A peer that is gone is shown alive or suspect for no longer than this, ms. */
  readonly detectionMs: number
  /** While nothing is done to the cluster, views differ for no longer than this, ms. */
  readonly convergenceMs: number
  /** After a heal or a resume a verdict about what was cut or paused may still be shown for this long, ms. */
  readonly graceMs: number
  /**
   * Of a process that stands still while its machine runs: shown stalled by all
   * after `shownMs`, and shown dead by nobody before `memberMs`. Not judged where
   * it is not given.
   */
  readonly stalls?: { readonly shownMs: number; readonly memberMs: number }
  /** What an observer saw end it may have forgotten after so long, ms; never, where it is not given. */
  readonly tombstoneMs?: number
  /** A life that has ended may be shown `left` without a word: some member dismisses whoever is dead. */
  readonly anybodyDismisses?: boolean
}

/** A row as people read it, for messages. */
export function describeView(view: ViewEvent): string {
  return `${view.observer} shows ${view.subject} ${view.status} at generation ${view.generation}, incarnation ${view.incarnation}`
}

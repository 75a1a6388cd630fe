/**
 * What was done to a cluster and what its members then said, on one clock.
 *
 * Recorded by whoever drives the cluster (the simulator, or the harness of real
 * processes, which reads each daemon's event stream), never by the code that is
 * judged. `at` is milliseconds on the recorder's monotonic clock; events are in
 * the order of `at`.
 */
export type HistoryEvent =
  /** A process of this peer was started; `life` counts its starts from 1. */
  | { readonly at: number; readonly type: 'started'; readonly peer: string; readonly life: number }
  | { readonly at: number; readonly type: 'ready'; readonly peer: string }
  /** Ended without a word: SIGKILL, power cut. */
  | { readonly at: number; readonly type: 'killed'; readonly peer: string }
  /** Told to stop, keeping its membership: SIGTERM. */
  | { readonly at: number; readonly type: 'stopped'; readonly peer: string }
  /** Gave up its membership. */
  | { readonly at: number; readonly type: 'left'; readonly peer: string }
  | { readonly at: number; readonly type: 'paused'; readonly peer: string }
  | { readonly at: number; readonly type: 'resumed'; readonly peer: string }
  /** No bytes pass from any of `from` to any of `to` until `healed`. */
  | {
      readonly at: number
      readonly type: 'cut'
      readonly from: readonly string[]
      readonly to: readonly string[]
    }
  | { readonly at: number; readonly type: 'healed' }
  /** `observer`'s row for `subject` changed, or was first seen, as given. */
  | {
      readonly at: number
      readonly type: 'view'
      readonly observer: string
      readonly subject: string
      readonly status: ViewStatus
      readonly generation: number
      readonly incarnation: number
    }
  /** The recorder stopped recording. */
  | { readonly at: number; readonly type: 'end' }

export type ViewStatus = 'alive' | 'suspect' | 'dead' | 'left'

/** A property that the history breaks, with what a person needs to find it. */
export interface Violation {
  readonly property: string
  readonly at: number
  readonly message: string
}

/**
 * What was published in a group and what each member then delivered, on one clock.
 *
 * Recorded by whoever drives the cluster (the simulator, or the harness of real
 * processes, which reads each daemon's stream and posts its messages), never by
 * the code that is judged. `at` is milliseconds on the recorder's monotonic
 * clock. The events of one peer stand in its program order: what stands before a
 * `published` of a peer, that peer knew when it published; so a harness records
 * `published` with what it had *seen* before it asked, and judges no more than
 * that. A peer's own messages are delivered to it like all others and recorded
 * so, where they stand in its log: what the log holds before one is exactly what
 * the daemon had delivered when it published. Deeds to the cluster (`started`,
 * `killed`, `cut` …) are those of `HistoryEvent` and may stand between.
 */
import type { HistoryEvent } from './history.ts'

/** `sender` as the recorder names peers; a dot is written `sender#epoch:seq` in messages for people. */
export interface DotName {
  readonly sender: string
  readonly epoch: number
  readonly seq: number
}

export type MulticastEvent =
  /**
   * This life of the peer is in the group from here on: deliveries follow.
   * `baseline`: what it took over as already delivered, `sender#epoch` to seq;
   * empty for the first one, and what its disk held for one that returns.
   */
  | {
      readonly at: number
      readonly type: 'entered'
      readonly peer: string
      readonly life: number
      readonly group: string
      readonly baseline: Readonly<Record<string, number>>
    }
  /** `content`: a digest of the payload, to see that what arrives is what was sent. */
  | ({
      readonly at: number
      readonly type: 'published'
      readonly peer: string
      readonly life: number
      readonly group: string
      readonly content: string
      readonly lamport: number
      readonly vector?: Readonly<Record<string, number>>
    } & DotName)
  /**
   * It was asked to publish this, and ended before it answered: the message may or
   * may not exist. Stands where `published` would. A simulator, which sees every
   * publication, has no need of it.
   */
  | {
      readonly at: number
      readonly type: 'attempted'
      readonly peer: string
      readonly life: number
      readonly group: string
      readonly content: string
    }
  | ({
      readonly at: number
      readonly type: 'delivered'
      readonly peer: string
      readonly life: number
      readonly group: string
      readonly content: string
      readonly lamport: number
      readonly vector?: Readonly<Record<string, number>>
      /** The daemon says that its vector is whole. */
      readonly vectorExact?: boolean
      readonly index: number
    } & DotName)
  /** The peer was told that these are lost to it. */
  | {
      readonly at: number
      readonly type: 'truncated'
      readonly peer: string
      readonly life: number
      readonly group: string
      readonly ranges: readonly {
        readonly sender: string
        readonly epoch: number
        readonly from: number
        readonly to: number
      }[]
    }
  /** The peer has proof that `sender` signed two contents for the dot. */
  | ({
      readonly at: number
      readonly type: 'equivocation'
      readonly peer: string
      readonly life: number
      readonly group: string
      readonly hashes: readonly [string, string]
    } & DotName)

/** Membership's events and multicast's, merged by `at`. */
export type GroupHistory = readonly (HistoryEvent | MulticastEvent)[]

/** What a group's history is judged by. */
export interface MulticastBounds {
  /** Peers known to lie; nothing is asked of what they claim to deliver, and their own dots may fork. */
  readonly liars: readonly string[]
  /**
   * The history ends healed and quiet: members that are up must have equal
   * delivered sets above their baselines (`truncated` ranges and forked authors
   * excepted). False while the end is not quiet.
   */
  readonly quietAtEnd: boolean
}

/**
 * A scenario is data: how many peers, what is done to them step by step, and the
 * bounds within which they must notice. The built-in ones are the files of
 * `testnet/scenarios/`; any other file can be named by its path.
 */
import type { MembershipBounds } from '../checkers/history.ts'
import type { Prohibition } from '../checkers/prohibitions.ts'
import type { Family } from './network-tools.ts'

export interface Scenario {
  readonly name: string
  /** What happens, in one sentence. */
  readonly summary: string
  /** Unless another number is asked for. */
  readonly peers: number
  /** Each peer has a network namespace of its own, so that links can be cut: Linux, and root. */
  readonly network: boolean
  /** Of the addresses at which peers listen; they have no other. */
  readonly family: Family
  readonly bounds: Bounds
  /** What nobody may ever show, beyond what the checkers forbid everywhere. */
  readonly never: readonly Prohibition[]
  readonly steps: readonly Step[]
}

/** Optional ones are not judged where they are absent. */
export interface Bounds extends MembershipBounds {
  /** Of all who notice all ends, half notice within this, ms. */
  readonly medianDetectionMs?: number
}

export type Step =
  | Deed
  /** For one peer after the other, but for some. */
  | { readonly do: 'each'; readonly but: readonly string[]; readonly steps: readonly Deed[] }

/** `others`: everybody else. */
export type Peers = readonly string[] | 'others'

/** Whom a lock phase loses; a stalled one is stopped with SIGSTOP for longer than its lease, and goes on. */
export type Loss = 'holder' | 'stalled-holder' | 'voter' | 'quorum'

/** `peer` is `n1`, `n2` … or, within `each`, `it`: the peer whose turn it is. */
export type Deed =
  /** Start everybody, and wait until all have one view. */
  | { readonly do: 'form'; readonly withinMs: number }
  /** SIGKILL. */
  | { readonly do: 'kill'; readonly peer: string }
  /** SIGTERM: it stays a member. */
  | { readonly do: 'stop'; readonly peer: string }
  /** `p2pd leave`: it gives up its membership. */
  | { readonly do: 'leave'; readonly peer: string }
  /** Bring it back on its data directory, without flags; after a power cut its network as well. */
  | { readonly do: 'start'; readonly peer: string }
  /** SIGSTOP. */
  | { readonly do: 'pause'; readonly peer: string }
  /** SIGCONT, once it has stood still for `afterMs`. */
  | { readonly do: 'resume'; readonly peer: string; readonly afterMs?: number }
  /**
   * Of a peer that does not run: remove its data directory, so that its next start
   * is that of a stranger with an invite; or all of it but its key, so that it is
   * the same peer, which remembers nothing.
   */
  | { readonly do: 'wipe'; readonly peer: string; readonly keep?: 'key' }
  /** Of a peer that does not run: its next start listens somewhere else, and nothing does at its old place. */
  | { readonly do: 'readdress'; readonly peer: string }
  /**
   * Wait until every other running peer, or those named, show it so; alive means
   * as it is: in its newest generation, at its addresses.
   */
  | {
      readonly do: 'expect'
      readonly peer: string
      readonly status: 'alive' | 'suspect' | 'dead' | 'left'
      readonly detail?: 'stalled'
      readonly reason?: 'leaving' | 'stopping'
      readonly by?: readonly string[]
      readonly withinMs: number
    }
  /** From now on no packet passes from one side to the other; or in neither direction. */
  | {
      readonly do: 'cut'
      readonly from: readonly string[]
      readonly to: Peers
      readonly ways: 'one' | 'both'
    }
  /** From now on each packet is lost with this chance, everywhere. */
  | { readonly do: 'lose'; readonly percent: number }
  /** End all cuts and losses. */
  | { readonly do: 'mend' }
  /** A power cut: none of its packets passes any more, not even those that would tell of its end. */
  | { readonly do: 'silence'; readonly peer: string }
  /** Wait until all have one view. */
  | { readonly do: 'settle'; readonly withinMs: number }
  /** Let them be: the checkers see whether anything happens. */
  | { readonly do: 'watch'; readonly forMs: number }
  /**
   * All running peers talk in a group at once, `messages` each, and together one
   * every `everyMs` (a machine carries the same talk of few and of many), with
   * replies to what they hear; and go on as long as the steps beside it last.
   * Ends when everybody has everything.
   */
  | {
      readonly do: 'talk'
      readonly group: string
      readonly messages: number
      readonly everyMs: number
      readonly replies: boolean
      readonly withinMs: number
      readonly during?: readonly Deed[]
    }
  /**
   * All running peers contend for one lock for `forMs`, and write to one file under
   * it, which refuses old tokens. Then, one after the other, its holder is killed or
   * stalled, a voter is killed, and so many voters that no quorum is left; then all
   * return and enter.
   * Each thing that is waited for comes within `withinMs`.
   */
  | {
      readonly do: 'lock'
      readonly lock: string
      readonly forMs: number
      readonly leaseMs: number
      readonly lose: readonly Loss[]
      readonly withinMs: number
    }
  /** Wait until a peer has all that was said in its groups, and the others what it said. */
  | { readonly do: 'catch-up'; readonly peer: string; readonly withinMs: number }
  /** A daemon with another secret tries to join, and must be refused. */
  | { readonly do: 'outsider'; readonly name: string }

/**
 * A scenario is data: how many peers, what is done to them step by step, and the
 * bounds within which they must notice. The built-in ones are the files of
 * `testnet/scenarios/`; any other file can be named by its path.
 */
import type { MembershipBounds } from '../checkers/history.ts'

export interface Scenario {
  readonly name: string
  /** What happens, in one sentence. */
  readonly summary: string
  /** Unless another number is asked for. */
  readonly peers: number
  readonly bounds: Bounds
  readonly steps: readonly Step[]
}

export type Bounds = MembershipBounds

export type Step = Deed | { readonly do: 'each'; readonly steps: readonly Deed[] }

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
  /** Bring it back on its data directory, without flags. */
  | { readonly do: 'start'; readonly peer: string }
  /** SIGSTOP, SIGCONT. */
  | { readonly do: 'pause' | 'resume'; readonly peer: string }
  /** Wait until every other running peer shows it so; alive means in its newest generation. */
  | {
      readonly do: 'expect'
      readonly peer: string
      readonly status: 'alive' | 'dead' | 'left'
      readonly reason?: 'leaving' | 'stopping'
      readonly withinMs: number
    }
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

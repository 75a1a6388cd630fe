/**
 * What one member may cause here. Each packet costs some work, a ping an answer,
 * a stranger or a newer record the check of a signature, a rumour and an event.
 * Honest members stay far below these rates, whatever happens to them: what an
 * owner changes often it tells together.
 */
import type { PeerId } from '../core.ts'
import { Allowance, type Rate } from './allowance.ts'
import type { MembershipConfig } from './config.ts'

interface Account {
  readonly packets: Allowance
  readonly pings: Allowance
  readonly strangers: Allowance
  readonly hints: Allowance
  blamedAt: number
}

export class Traffic {
  /** A view of thousands comes in many packets, and with a mass death each says something at once. */
  static readonly packets: Rate = { burst: 2048, perSecond: 400 }
  /** As many updates are as much work as one packet more: a telling of rumours has no more. */
  static readonly updatesForOne = 16
  /** A helper may ask in the name of many. */
  static readonly pings: Rate = { burst: 256, perSecond: 64 }
  /** Packets that all together may send without that anybody is looked up: each may send more than that. */
  static readonly together: Rate = { burst: 64, perSecond: 64 }
  /** Besides a whole view: records of members that are unknown here. */
  static readonly strangersPerSecond = 8
  /** The same, named by somebody who is no member itself: it has no view to tell. */
  static readonly hints: Rate = { burst: 64, perSecond: 4 }
  /** Accounts of those who used much that are kept when they disconnect: a new connection is no new start. */
  static readonly maxFormer = 1024
  static readonly blameEveryMs = 1000
  readonly #strangers: Rate
  readonly #accounts = new Map<PeerId, Account>()
  /** Whose connections closed; who did longest ago comes first. */
  readonly #former = new Map<PeerId, Account>()
  readonly #packets = new Allowance()
  /** The packet at hand was one of few: nobody is near any limit. */
  #isCalm = true
  readonly #isConnected: (peer: PeerId) => boolean

  constructor(config: MembershipConfig, isConnected: (peer: PeerId) => boolean) {
    this.#strangers = { burst: config.maxMembers, perSecond: Traffic.strangersPerSecond }
    this.#isConnected = isConnected
  }

  /** One with so many updates. */
  takesPacket(from: PeerId, updates: number, now: number): boolean {
    const cost = 1 + Math.floor(updates / Traffic.updatesForOne)
    this.#isCalm = this.#packets.take(Traffic.together, now, cost)
    if (this.#isCalm) return true
    return this.#of(from).packets.take(Traffic.packets, now, cost)
  }

  /** In the packet that was taken last. */
  takesPing(from: PeerId, now: number): boolean {
    return this.#isCalm || this.#of(from).pings.take(Traffic.pings, now)
  }

  /** One with a record of `bytes`. */
  takesStranger(from: PeerId, isMember: boolean, bytes: number, now: number): boolean {
    const { strangers, hints } = this.#of(from)
    return isMember
      ? strangers.take(this.#strangers, now, costOf(bytes))
      : hints.take(Traffic.hints, now, costOf(bytes))
  }

  /** Whether it is to be said again that `peer` does too much. */
  mayBlame(peer: PeerId, now: number): boolean {
    const account = this.#of(peer)
    if (now - account.blamedAt < Traffic.blameEveryMs) return false
    account.blamedAt = now
    return true
  }

  disconnected(peer: PeerId, now: number): void {
    const account = this.#accounts.get(peer)
    this.#accounts.delete(peer)
    if (account === undefined || !this.#isSpent(account, now)) return
    this.#former.set(peer, account)
    const [oldest] = this.#former.keys()
    if (this.#former.size > Traffic.maxFormer && oldest !== undefined) this.#former.delete(oldest)
  }

  #isSpent({ packets, pings, strangers, hints }: Account, now: number): boolean {
    return (
      packets.isSpent(Traffic.packets, now) ||
      pings.isSpent(Traffic.pings, now) ||
      strangers.isSpent(this.#strangers, now) ||
      hints.isSpent(Traffic.hints, now)
    )
  }

  #of(peer: PeerId): Account {
    const known = this.#accounts.get(peer)
    if (known !== undefined) return known
    const former = this.#former.get(peer)
    const account = former ?? {
      packets: new Allowance(),
      pings: new Allowance(),
      strangers: new Allowance(),
      hints: new Allowance(),
      blamedAt: Number.NEGATIVE_INFINITY,
    }
    // What was still under way when the connection closed is not worth an account.
    if (!this.#isConnected(peer)) return account
    this.#former.delete(peer)
    this.#accounts.set(peer, account)
    return account
  }
}

/** Everybody keeps a record and tells it on: a large one counts as several. An ordinary one has some 300 bytes. */
export function costOf(bytes: number): number {
  return Math.ceil(bytes / 4096)
}

/** Newer records of one member: twice what its own limits let it tell. */
export function raiseRate(config: MembershipConfig): Rate {
  return { burst: 64, perSecond: 16_000 / config.probePeriodMs }
}

/** Accusations by one member: everybody may die at once, but not all the time. */
export function chargeRate(n: number): Rate {
  return { burst: 64 + 2 * n, perSecond: 16 }
}

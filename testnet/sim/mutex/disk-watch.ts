import type { PeerId } from '../../../lib/protocols/core.ts'
import type { Stamp } from '../../../plugins/mutex/core/electorate/messages.ts'
import type { Frame } from '../../../plugins/mutex/core/messages.ts'
import type { Ballots } from './ballots.ts'
import type { Elections } from './elections.ts'
import { isMajority, type Ledger } from './ledger.ts'
import type { Life, LockHost } from './lock-host.ts'

/** A stamp of another, and since when it is known. */
interface Told {
  readonly stamp: Stamp
  readonly at: number
}

const noStamp: Stamp = { generation: 0, write: 0 }
/** What a new stamp takes to be on the disks of others for sure, ms. */
const storedWithinMs = 300

/** Whoever was put back to an older disk, or lost it, does not vote where others know better. */
export class DiskWatch {
  readonly #ledger: Ledger
  readonly #ballots: Ballots
  readonly #elections: Elections
  /** By voter: who has been told of which of its stamps. */
  readonly #told = new Map<PeerId, Map<Life, readonly Told[]>>()
  /** By life: the newest version that it voted in. */
  readonly #voted = new Map<Life, number>()

  constructor(ledger: Ledger, ballots: Ballots, elections: Elections) {
    this.#ledger = ledger
    this.#ballots = ballots
    this.#elections = elections
  }

  /** A core is about to be stepped with it. Of each life of `from` the highest stamp is kept. */
  received(life: Life, from: PeerId, { stamp }: Frame): void {
    if (stamp === undefined) return
    const told = this.#told.get(from) ?? new Map<Life, Told[]>()
    this.#told.set(from, told)
    const stamps = told.get(life) ?? []
    const last = stamps.at(-1)
    if (last !== undefined && compare(last.stamp, stamp) >= 0) return
    const rest = last?.stamp.generation === stamp.generation ? stamps.slice(0, -1) : stamps
    told.set(life, [...rest, { stamp, at: this.#ledger.now() }])
  }

  /** It leaves. */
  sent(life: Life, to: PeerId, { id, answering }: Frame): void {
    if (id === undefined || answering === undefined) return
    if (!answering.items.some(({ type }) => type === 'grant' || type === 'confirmed')) return
    const version = this.#ballots.versionOf(to, life.host.peer, answering.session)
    if (version === undefined) return
    this.#voted.set(life, Math.max(version, this.#voted.get(life) ?? 0))
    const voters = this.#elections.votersOf(id, version) ?? []
    if (!this.#mustAbstain(life, voters) || this.#wasTakenAnew(life, id, version)) return
    this.#ledger.breach('no-old-disk', `${life.host.name} votes with a disk that went back`)
  }

  /**
   * Whether every quorum of those voters that it is in has somebody who knows that
   * its disk was once further than it was when this life began, and has not died since.
   */
  #mustAbstain(life: Life, voters: readonly PeerId[]): boolean {
    const knowing = this.knowing(life)
    return !isMajority(voters, new Set(voters.filter((voter) => !knowing.has(voter))))
  }

  /** Who was told in an earlier life of more than is on the disk now, and runs since. */
  knowing({ host, generation, base }: Life): ReadonlySet<PeerId> {
    return this.#knowing(host, base, generation)
  }

  /** Somebody who runs was told of more than there is on that copy of its disk. */
  isOutdated(host: LockHost, copy: Stamp | undefined): boolean {
    return this.#knowing(host, copy, Number.POSITIVE_INFINITY).size > 0
  }

  /** Who runs and was told of a stamp above `base`, in a life before `generation`. */
  #knowing(host: LockHost, base: Stamp | undefined, generation: number): ReadonlySet<PeerId> {
    const knowing = new Set<PeerId>()
    for (const [life, stamps] of this.#told.get(host.peer) ?? []) {
      if (!life.process.alive) continue
      const isNews = ({ stamp, at }: Told): boolean =>
        stamp.generation < generation &&
        compare(stamp, base ?? noStamp) > 0 &&
        this.#ledger.now() - at > storedWithinMs
      if (stamps.some(isNews)) knowing.add(life.host.peer)
    }
    return knowing
  }

  /** A person has had it go on: from here on nobody knows better than its disk. */
  recovered({ host }: Life): void {
    this.#told.delete(host.peer)
  }

  /** Removed and added since it voted in an earlier life. */
  #wasTakenAnew(life: Life, id: string, version: number): boolean {
    const before = [...this.#voted].filter(([other]) => isEarlier(other, life.host, life))
    const last = Math.max(0, ...before.map(([, voted]) => voted))
    for (let v = last + 1; v < version; v++) {
      if (this.#elections.votersOf(id, v)?.includes(life.host.peer) === false) return true
    }
    return false
  }
}

function isEarlier(other: Life, host: LockHost, life: Life): boolean {
  return other.host === host && other !== life
}

function compare(a: Stamp, b: Stamp): number {
  return a.generation - b.generation || a.write - b.write
}

import type { PeerId } from '../../../lib/protocols/core.ts'
import type { MemberStanding } from '../../../lib/protocols/multicast/messages.ts'
import type { Links } from '../links.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import { type GroupHost, isUp, type Life } from './group-host.ts'
import type { MembershipByFiat } from './options.ts'

const retryMs = 300

/**
 * Membership by fiat: each member's view of the others follows the truth, late,
 * and each view at its own time. Who cannot be reached is shown dead after a
 * while, and alive again after the cut is mended.
 */
export class Directory {
  readonly #world: World
  readonly #links: Links
  readonly #hosts: readonly GroupHost[]
  readonly #options: MembershipByFiat
  readonly #random: Random
  /** What each life was told of each peer. */
  readonly #told = new WeakMap<Life, Map<PeerId, string>>()

  constructor(world: World, links: Links, hosts: readonly GroupHost[], options: MembershipByFiat) {
    this.#world = world
    this.#links = links
    this.#hosts = hosts
    this.#options = options
    this.#random = world.random.stream('directory')
  }

  /** A process begins: it is told of everybody, and then that this is all. */
  arrived(life: Life): void {
    const { settlingMaxMs } = this.#options
    const settledMs = this.#random.between(0.2, 1) * settlingMaxMs
    for (const subject of this.#hosts) {
      // Membership settles a little before it knows everything, now and then.
      const late = this.#random.chance(0.05) ? this.#random.between(0, 500) : 0
      this.#tellLater(life, subject, this.#random.between(0, settledMs) + late)
    }
    this.#world.after(settledMs, () => life.process.command({ type: 'settled' }))
  }

  /** Its record is another: it started, or is in other groups. */
  changed(subject: GroupHost): void {
    for (const observer of this.#others(subject)) this.#tellLater(observer, subject, this.#newsMs())
  }

  /** It ended, whether anybody knows or not. */
  ended(subject: GroupHost): void {
    for (const observer of this.#others(subject)) {
      this.#tellLater(observer, subject, subject.departed ? this.#newsMs() : this.#detectionMs())
    }
  }

  /** The way between these two was cut or mended. */
  rewired(observer: GroupHost, subject: GroupHost, cut: boolean): void {
    const { present } = observer
    if (present === undefined || !isUp(observer)) return
    this.#tellLater(present, subject, cut ? this.#detectionMs() : this.#newsMs())
  }

  /** Tables are exchanged: everything is news. */
  exchange(life: Life): void {
    for (const subject of this.#hosts) this.#tellLater(life, subject, this.#newsMs())
  }

  /** Whether `life` was told that `peer` is there. */
  knows(life: Life, peer: PeerId): boolean {
    return this.#told.get(life)?.get(peer)?.startsWith('alive') === true
  }

  #tellLater(observer: Life, subject: GroupHost, delayMs: number): void {
    if (observer.host === subject) return
    this.#world.after(delayMs, () => this.#tell(observer, subject))
  }

  #tell(observer: Life, subject: GroupHost): void {
    if (!observer.process.alive || subject.present === undefined) return
    const told = this.#told.get(observer) ?? new Map<PeerId, string>()
    this.#told.set(observer, told)
    const cut = this.#isCut(observer, subject)
    const { epoch, groups } = subject.present
    // A life says nothing of itself before its generation is on the disk.
    if (isUp(subject) && epoch === 0) return
    const before = told.get(subject.peer)
    // What only the subject could say does not come through a cut; who it is, others may tell.
    if (cut && before === undefined && this.#random.chance(0.7)) {
      return this.#tellLater(observer, subject, retryMs)
    }
    const standing = this.#standing(subject, cut)
    const known = cut ? (before?.split(' ')[1] ?? '') : groups.join(',')
    const row = `${standing} ${known}`
    if (row === before) return
    told.set(subject.peer, row)
    const names = known === '' ? [] : known.split(',')
    // Suspicion comes before death, unless nobody was there to suspect.
    if (standing === 'dead' && before?.startsWith('alive')) {
      observer.process.command({ type: 'member', peer: subject.peer, standing: 'suspect', groups: names })
    }
    observer.process.command({ type: 'member', peer: subject.peer, standing, groups: names })
  }

  #standing(subject: GroupHost, cut: boolean): MemberStanding {
    if (!isUp(subject)) return subject.departed ? 'left' : 'dead'
    return cut ? 'dead' : 'alive'
  }

  /** Neither way, nor through anybody: good enough here is the direct way. */
  #isCut(observer: Life, subject: GroupHost): boolean {
    return (
      this.#links.isCut(observer.index, subject.machine.index) &&
      this.#links.isCut(subject.machine.index, observer.index)
    )
  }

  #others(subject: GroupHost): Life[] {
    return this.#hosts.flatMap((host) => (host !== subject && isUp(host) ? [host.present] : []))
  }

  #newsMs(): number {
    return this.#random.between(this.#options.newsMinMs, this.#options.newsMaxMs)
  }

  #detectionMs(): number {
    return this.#random.between(this.#options.detectionMinMs, this.#options.detectionMaxMs)
  }
}

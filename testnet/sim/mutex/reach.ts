import type { MutexEvent as HistoryEntry } from '../../../plugins/mutex/checker/history.ts'
import type { Links } from '../links.ts'
import type { Elections } from './elections.ts'
import { isMajority } from './ledger.ts'
import { isAwake, type LockHost } from './lock-host.ts'

interface Scene {
  readonly hosts: readonly LockHost[]
  readonly now: () => number
  record(event: HistoryEntry): void
}

/** Who can reach a quorum of voters that run, as nobody in the simulated world can know it. */
export class Reach {
  readonly #scene: Scene
  readonly #links: Links
  readonly #elections: Elections
  readonly #cannot = new Set<LockHost>()

  constructor(scene: Scene, links: Links, elections: Elections) {
    this.#scene = scene
    this.#links = links
    this.#elections = elections
  }

  /** Something was done to somebody, or somebody knows more. */
  look(): void {
    for (const host of this.#scene.hosts) {
      const reachable = this.#canReach(host)
      if (reachable === !this.#cannot.has(host)) continue
      if (reachable) this.#cannot.delete(host)
      else this.#cannot.add(host)
      this.#scene.record({ at: this.#scene.now(), type: 'quorum', reachable, peer: host.peer })
    }
  }

  /** Of any version that it may come to ask. Nothing is expected of who does not run, or knows of no electorate. */
  #canReach(host: LockHost): boolean {
    if (!isAwake(host)) return true
    const { id, version } = host.present.core.view()
    if (id === undefined) return true
    const reached = new Set(
      this.#scene.hosts.filter((other) => this.#path(host, other)).map(({ peer }) => peer),
    )
    for (let v = version; v <= this.#elections.newest(id); v++) {
      if (isMajority(this.#elections.votersOf(id, v) ?? [], reached)) return true
    }
    return false
  }

  #path(from: LockHost, to: LockHost): boolean {
    if (!isAwake(to)) return false
    const { index: i } = from.machine
    const { index: j } = to.machine
    return i === j || (!this.#links.isCut(i, j) && !this.#links.isCut(j, i))
  }
}

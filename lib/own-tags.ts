/** What people say of this peer, told to the core no faster than others care to hear of it. */
import type { Tags } from './protocols/membership/messages.ts'

/** Between two changes that are told, ms: each is a new incarnation, on the disk and at every member. */
const tellEveryMs = 200

export class OwnTags {
  readonly #tell: (tags: Tags) => void
  #tags: Tags
  #toldAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  /** `tags` are known to the core; `tell` hears of later ones. */
  constructor(tags: Tags, tell: (tags: Tags) => void) {
    this.#tags = tags
    this.#tell = tell
  }

  get current(): Tags {
    return this.#tags
  }

  /** The first change at once; what follows it closely together, and the last one counts. */
  set(tags: Tags): void {
    this.#tags = tags
    if (this.#timer !== undefined) return
    const waitMs = this.#toldAt + tellEveryMs - performance.now()
    if (waitMs <= 0) this.#now()
    else this.#timer = setTimeout(() => this.#now(), waitMs).unref()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #now(): void {
    this.#timer = undefined
    this.#toldAt = performance.now()
    this.#tell(this.#tags)
  }
}

/**
 * What of a group's messages waits for the disk. From a point on gossip is not
 * read until the disk has caught up, for what is dropped would have to be fetched
 * again; from a later one on what others send is left to repair.
 */

/** What waits, in effects and in bytes of messages. */
export interface Waiting {
  readonly waiting: number
  readonly waitingBytes: number
}

/** Whatever can be told to wait. */
export interface Source {
  pause(): void
  resume(): void
}

/** While so much waits for the disk, what others send is left to repair. */
const maxWaitingEffects = 8192
/** From here on gossip is not read. */
const pauseAt = 4096
/** More than what own publishes keep waiting, or they would shut gossip out. */
const resumeAt = 2048
const pauseAtBytes = 8 * 1024 * 1024
const resumeAtBytes = 2 * 1024 * 1024
/** Less than the log keeps: what no reader was shown yet must not be truncated. */
const maxWaitingBytes = 32 * 1024 * 1024

export class DiskBacklog {
  readonly #queue: Waiting
  readonly #gossip: Source

  constructor(queue: Waiting, gossip: Source) {
    this.#queue = queue
    this.#gossip = gossip
  }

  get isFull(): boolean {
    return this.#queue.waiting >= maxWaitingEffects || this.#queue.waitingBytes >= maxWaitingBytes
  }

  /** Something was added. */
  grown(): void {
    const { waiting, waitingBytes } = this.#queue
    if (waiting >= pauseAt || waitingBytes >= pauseAtBytes) this.#gossip.pause()
  }

  /** Something was written. */
  shrunk(): void {
    const { waiting, waitingBytes } = this.#queue
    if (waiting <= resumeAt && waitingBytes <= resumeAtBytes) this.#gossip.resume()
  }
}

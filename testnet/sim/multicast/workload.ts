import type { Envelope } from '../../../lib/protocols/multicast/messages.ts'
import type { Random } from '../random.ts'
import type { GroupCluster } from './group-cluster.ts'
import { type GroupHost, isHonest, isUp, type Life } from './group-host.ts'
import type { Workload as WorkloadOptions } from './options.ts'

/** A reply leaves this soon, ms. */
const replyMs = 30
/** What a publisher is refused with when it is in no such group, or no more. */
const leftCode = 'ERR_GROUP_LEFT'

/** The apps: they publish now and then, in bursts, and answer what they read. */
export class Workload {
  readonly #cluster: GroupCluster
  readonly #options: WorkloadOptions
  readonly #random: Random
  /** Asked and not yet answered, by life. */
  readonly #open = new Map<Life, Map<number, string>>()
  #token = 0
  #stopped = false

  constructor(cluster: GroupCluster) {
    this.#cluster = cluster
    this.#options = cluster.options.workload
    this.#random = cluster.world.random.stream('workload')
  }

  /** Begins with the life; some speak before they can be heard. */
  start(life: Life): void {
    if (!isHonest(life.host)) return
    const early = this.#random.chance(0.3)
    this.#after(life, early ? 0 : this.#random.exponential(this.#options.everyMs))
  }

  stop(): void {
    this.#stopped = true
  }

  /** Delivered at one who may answer it. */
  delivered(life: Life, name: string, envelope: Envelope): void {
    const { host } = life
    if (this.#stopped || host.silent || !isHonest(host) || envelope.header.author === host.peer) return
    if (!this.#random.chance(this.#options.reply)) return
    this.#cluster.world.after(this.#random.between(0, replyMs), () => this.publish(life, name))
  }

  answered(life: Life, token: number, code: string | undefined): void {
    const open = this.#open.get(life)
    const name = open?.get(token)
    if (open === undefined || name === undefined) {
      return this.#cluster.breach(
        'answered-once',
        `${life.host.name} answers a publication that nobody asked for`,
      )
    }
    open.delete(token)
    if (code === undefined || (code === leftCode && !life.joined.has(name))) return
    this.#cluster.breach('publishes', `${life.host.name} refuses a publication in ${name}: ${code}`)
  }

  /** What is still to be answered by those who run. */
  unanswered(): { readonly host: GroupHost; readonly name: string }[] {
    return [...this.#open].flatMap(([life, open]) =>
      isUp(life.host) && life.host.present === life
        ? [...open.values()].map((name) => ({ host: life.host, name }))
        : [],
    )
  }

  publish(life: Life, name: string): void {
    if (!life.process.alive || !life.joined.has(name) || this.#token >= this.#options.most) return
    const token = ++this.#token
    const open = this.#open.get(life) ?? new Map<number, string>()
    this.#open.set(life, open)
    open.set(token, name)
    life.process.command({ type: 'publish', name, payload: this.#payload(token), token })
  }

  #after(life: Life, delayMs: number): void {
    this.#cluster.world.after(delayMs, () => {
      if (this.#stopped || !life.process.alive || life.host.silent) return
      const names = [...life.joined]
      if (names.length > 0) {
        const name = this.#random.pick(names)
        for (let i = this.#random.whole(1, this.#options.burst); i > 0; i--) this.publish(life, name)
      }
      this.#after(life, this.#random.exponential(this.#options.everyMs))
    })
  }

  #payload(token: number): Uint8Array {
    const { bytes } = this.#options
    const size = bytes === 'tiny' ? this.#random.whole(1, 8) : this.#random.whole(1, 300)
    const large = bytes !== 'tiny' && bytes !== 'small' && this.#random.chance(0.1)
    const [least, most] = bytes === 'huge' ? [200_000, 400_000] : [2000, 8000]
    const payload = new Uint8Array(large ? this.#random.whole(least, most) : size)
    for (let i = 0; i < payload.length; i++) payload[i] = token >> (8 * (i & 3))
    return payload
  }
}

/**
 * All peers of a group talk at once: each says something at its own pace, and
 * one of the others replies to each of it, having seen it. So every reply must
 * come after what it replies to, wherever it is read.
 */
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Cluster } from './cluster.ts'
import type { Delivery } from './group-reader.ts'
import type { Member } from './member.ts'
import type { Deed } from './scenario.ts'

export type TalkDeed = Extract<Deed, { do: 'talk' }>

/** What a talk needs of a cluster. */
export type Stage = Pick<Cluster, 'members' | 'member' | 'running' | 'groups' | 'recorder' | 'until'>

export interface TalkFigures {
  readonly said: number
  readonly replies: number
  readonly tookMs: number
}

/** A talk that goes on beside other steps is not without end: messages of one peer. */
const maxSaid = 1000
/** How long one that is not there is waited for before it is looked for again, ms. */
const absentMs = 50

export class Talk {
  readonly #cluster: Stage
  readonly #deed: TalkDeed
  readonly #startedAt: number
  readonly #unlisten: () => void
  readonly #working: Promise<unknown>[] = []
  readonly #counts = new Map<string, number>()
  #beside: boolean
  #done = false
  #pending = 0
  #said = 0
  #replies = 0
  #failure: unknown

  private constructor(cluster: Stage, deed: TalkDeed) {
    this.#cluster = cluster
    this.#deed = deed
    this.#startedAt = cluster.recorder.now()
    this.#beside = deed.during !== undefined
    this.#unlisten = cluster.groups.onDelivery((delivery) => this.#hear(delivery))
    this.#working.push(...cluster.members.map((member) => this.#speak(member)))
  }

  /** Everybody who runs enters the group, and then they begin. */
  static async start(cluster: Stage, deed: TalkDeed): Promise<Talk> {
    await Promise.all(cluster.running().map((member) => cluster.groups.enter(member, deed.group)))
    return new Talk(cluster, deed)
  }

  /** The steps beside it are done: each peer says what is left of its number, if anything is. */
  besideDone(): void {
    this.#beside = false
  }

  /** Waits until everybody has said all and has everything. Throws ERR_TESTNET after `withinMs`. */
  async finish(): Promise<TalkFigures> {
    const { recorder } = this.#cluster
    await this.#cluster.until(() => this.#open(), this.#deed.withinMs)
    this.abandon()
    await Promise.all(this.#working)
    return { said: this.#said, replies: this.#replies, tookMs: recorder.now() - this.#startedAt }
  }

  /** Nobody says anything more. */
  abandon(): void {
    this.#done = true
    this.#unlisten()
  }

  /** Why the talk is not over. */
  #open(): string | undefined {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#beside) return 'the steps beside the talk are not done'
    const silent = this.#cluster
      .running()
      .find(({ name }) => (this.#counts.get(name) ?? 0) < this.#deed.messages)
    if (silent !== undefined) return `${silent.name} has not said everything`
    if (this.#pending > 0) return `${this.#pending} messages are not published`
    const names = this.#cluster.running().map(({ name }) => name)
    return this.#cluster.groups.missing(names)
  }

  async #speak(member: Member): Promise<void> {
    const { name } = member
    for (let said = 0; !this.#done && said < maxSaid; ) {
      if (!this.#present(member)) {
        await this.#cluster.recorder.changed(absentMs)
        continue
      }
      if (said >= this.#deed.messages && !this.#beside) {
        await this.#pause(absentMs)
        continue
      }
      said++
      if (await this.#publish(member, `${name} says ${said}`)) this.#said++
      this.#counts.set(name, said)
      await this.#pause(this.#deed.everyMs * this.#cluster.members.length)
    }
  }

  #hear({ reader, data }: Delivery): void {
    if (!this.#deed.replies || reader.group !== this.#deed.group || this.#done) return
    const [, speaker, number] = /^(n\d+) says (\d+)$/.exec(data) ?? []
    if (speaker === undefined || this.#replier(speaker, Number(number)) !== reader.peer) return
    const member = this.#cluster.member(reader.peer)
    if (!this.#present(member) || member.lives !== reader.life) return
    const reply = this.#publish(member, `${reader.peer} replies to ${speaker} on ${number}`)
    this.#working.push(
      reply.then((published) => {
        if (published) this.#replies++
      }),
    )
  }

  /** Each of the others in turn. */
  #replier(speaker: string, number: number): string | undefined {
    const others = this.#cluster.members.filter(({ name }) => name !== speaker)
    return others[number % others.length]?.name
  }

  #present({ name, lives, expected, process }: Member): boolean {
    return (
      process?.running === true && !expected && this.#cluster.groups.entered(name, lives, this.#deed.group)
    )
  }

  /** False when the daemon ended meanwhile. */
  async #publish(member: Member, text: string): Promise<boolean> {
    const { lives } = member
    this.#pending++
    try {
      await this.#cluster.groups.publish(member, this.#deed.group, text)
      return true
    } catch (error) {
      if (member.lives === lives && this.#present(member)) {
        const what = error instanceof P2pdError ? `${error.code}: ${error.message}` : String(error)
        this.#failure ??= new P2pdError('ERR_TESTNET', `${member.name} could not publish (${what})`)
      }
      return false
    } finally {
      this.#pending--
    }
  }

  async #pause(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms))
  }
}

/**
 * What this peer publishes: so many messages, and bytes of them, are under way,
 * more wait their turn, and who publishes beyond that is told to wait.
 */
import type { Published } from './group.ts'
import { groupLeft } from './group-errors.ts'
import { stopped } from './group-feed.ts'
import { withResolvers } from './host/with-resolvers.ts'
import { orAbort } from './or-abort.ts'
import { multicastLimits } from './protocols/multicast/limits.ts'
import { P2pdError } from './wire/errors.ts'

/** Publishes whose answer is outstanding; more wait their turn, bounded like those that wait for a baseline. */
const maxUnderWay = 256

/** Hands a publish to the core; `published` or `refused` is told what came of it. */
export type Begin = (publish: {
  readonly name: string
  readonly payload: Uint8Array
  readonly token: number
}) => void

interface Publish {
  readonly name: string
  readonly payload: Uint8Array
  readonly resolve: (published: Published) => void
  readonly reject: (error: Error) => void
}

export class GroupPublishes {
  readonly #begin: Begin
  readonly #underWay = new Map<number, Publish>()
  #queue: Publish[] = []
  #queuedBytes = 0
  #underWayBytes = 0
  #tokens = 0
  #stopped = false

  constructor(begin: Begin) {
    this.#begin = begin
  }

  /** Errors: ERR_TOO_LARGE, ERR_WOULD_BLOCK, ERR_GROUP_LEFT, ERR_STOPPED. */
  publish(name: string, payload: Uint8Array, signal: AbortSignal | undefined): Promise<Published> {
    if (payload.length > multicastLimits.payloadBytes) throw tooLarge(payload.length)
    if (this.#stopped) throw stopped()
    signal?.throwIfAborted()
    const { waitingPublishes, waitingBytes } = multicastLimits
    if (this.#queue.length >= waitingPublishes || this.#queuedBytes + payload.length > waitingBytes) {
      throw new P2pdError('ERR_WOULD_BLOCK', 'too much waits to be published', {
        hint: 'publish more slowly, or wait for each publish',
      })
    }
    const published = withResolvers<Published>()
    // A copy: the app may go on with its buffer.
    const publish = { name, payload: payload.slice(), resolve: published.resolve, reject: published.reject }
    this.#queue.push(publish)
    this.#queuedBytes += payload.length
    this.#next()
    return orAbort(published.promise, signal, () => this.#withdraw(publish))
  }

  published(token: number, published: Published): void {
    this.#answer(token, ({ resolve }) => resolve(published))
  }

  refused(token: number, code: `ERR_${string}`): void {
    this.#answer(token, ({ name, reject }) => reject(refusal(name, code)))
  }

  stop(): void {
    this.#stopped = true
    for (const { reject } of [...this.#underWay.values(), ...this.#queue]) reject(stopped())
    this.#underWay.clear()
    this.#queue = []
  }

  #next(): void {
    while (this.#underWay.size < maxUnderWay && !this.#stopped) {
      const [publish] = this.#queue
      if (publish === undefined) return
      const { length } = publish.payload
      if (this.#underWayBytes > 0 && this.#underWayBytes + length > multicastLimits.waitingBytes) return
      this.#queue.shift()
      this.#queuedBytes -= length
      this.#underWayBytes += length
      this.#tokens += 1
      this.#underWay.set(this.#tokens, publish)
      this.#begin({ name: publish.name, payload: publish.payload, token: this.#tokens })
    }
  }

  /** What has not begun is not sent; what has is on its way, and cannot be taken back. */
  #withdraw(publish: Publish): void {
    if (!this.#queue.includes(publish)) return
    this.#queue = this.#queue.filter((other) => other !== publish)
    this.#queuedBytes -= publish.payload.length
  }

  #answer(token: number, settle: (publish: Publish) => void): void {
    const publish = this.#underWay.get(token)
    this.#underWay.delete(token)
    if (publish !== undefined) {
      this.#underWayBytes -= publish.payload.length
      settle(publish)
    }
    this.#next()
  }
}

function tooLarge(bytes: number): P2pdError {
  return new P2pdError(
    'ERR_TOO_LARGE',
    `a message of ${bytes} bytes; at most ${multicastLimits.payloadBytes}`,
    {
      hint: 'send a reference to it, or send it in parts',
    },
  )
}

function refusal(name: string, code: `ERR_${string}`): P2pdError {
  switch (code) {
    case 'ERR_WOULD_BLOCK':
      return new P2pdError(code, 'too much waits to be published', {
        hint: 'wait until this peer has joined the group, and for each publish',
      })
    case 'ERR_GROUP_LEFT':
      return groupLeft(name)
    default:
      return new P2pdError(code, 'the logical time of the group is at its end', {
        hint: 'a member drove it there; leave the group and use another one',
      })
  }
}

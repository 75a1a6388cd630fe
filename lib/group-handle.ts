import type { Group, GroupItem, GroupMessage, Published, ReadOptions } from './group.ts'
import type { GroupFeed } from './group-feed.ts'

export interface GroupActions {
  publish(payload: Uint8Array, signal: AbortSignal | undefined): Promise<Published>
  leave(): void
}

/** What an app holds of a group. Any number may exist of one; what each reads ends with it. */
export class GroupHandle implements Group {
  readonly name: string
  readonly #feed: GroupFeed
  readonly #actions: GroupActions
  readonly #closed = new AbortController()

  constructor(name: string, feed: GroupFeed, actions: GroupActions) {
    this.name = name
    this.#feed = feed
    this.#actions = actions
  }

  async publish(
    data: Uint8Array | string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Published> {
    const payload = typeof data === 'string' ? new TextEncoder().encode(data) : data
    return await this.#actions.publish(payload, options.signal)
  }

  messages(options: ReadOptions = {}): AsyncIterableIterator<GroupMessage> {
    return this.#feed.messages(this.#within(options))
  }

  items(options: ReadOptions = {}): AsyncIterableIterator<GroupItem> {
    return this.#feed.items(this.#within(options))
  }

  async leave(): Promise<void> {
    this.#actions.leave()
    this.#closed.abort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort()
  }

  #within(options: ReadOptions): ReadOptions {
    const { signal } = options
    const closed = this.#closed.signal
    return { ...options, signal: signal === undefined ? closed : AbortSignal.any([signal, closed]) }
  }
}

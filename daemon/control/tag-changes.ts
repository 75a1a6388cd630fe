/** Changes of the own tags, one after the other. */
import type { Tags } from '../../lib/index.ts'
import { tagsProblem } from '../../lib/wire/tag.ts'
import type { PeerPort } from '../peer-port.ts'
import { ControlFailure } from './failure.ts'
import type { TagsAnswer } from './schemas.ts'

/** Where they are kept for the next start. */
export interface TagMemory {
  save(tags: Tags): Promise<void>
  /** False where what is said at the start wins over it. */
  readonly kept: boolean
}

export class TagChanges {
  readonly #memory: TagMemory
  #done: Promise<unknown> = Promise.resolve()

  constructor(memory: TagMemory) {
    this.#memory = memory
  }

  answer({ tags }: Pick<PeerPort, 'tags'>): TagsAnswer {
    return { tags: { ...tags }, kept: this.#memory.kept }
  }

  /** Nothing has changed where it rejects: ERR_BAD_REQUEST, ERR_DISK_FULL. */
  async change(
    peer: Pick<PeerPort, 'tags' | 'setTags'>,
    set: Tags,
    deleted: readonly string[],
  ): Promise<TagsAnswer> {
    const changed = this.#done.then(async () => {
      const kept = Object.entries(peer.tags).filter(([key]) => !deleted.includes(key))
      const tags = Object.fromEntries([...kept, ...Object.entries(set)])
      const problem = tagsProblem(tags)
      if (problem !== undefined) {
        throw new ControlFailure('ERR_BAD_REQUEST', `the tags ${problem}`, {
          hint: 'delete what is not needed',
        })
      }
      await this.#memory.save(tags)
      peer.setTags(tags)
      return this.answer({ tags })
    })
    this.#done = changed.catch(() => {})
    return await changed
  }
}

/** What the daemon itself remembers between starts, beside the keys and the store. */
import { z } from 'zod'
import { P2pdError } from '../lib/wire/errors.ts'
import { tagsProblem } from '../lib/wire/tag.ts'
import { isDialAddress, isListenAddress, maxAddressCount } from './address.ts'
import { readFileIfAny, writeFileAtomically } from './files.ts'
import { namePattern } from './names.ts'

/** Where this peer's cluster is found again, beside the peers that membership remembers. */
export const maxContacts = 64

const clusterSchema = z.strictObject({
  cluster: z.string().regex(namePattern),
  contacts: z.array(z.string().refine(isDialAddress)).max(maxContacts),
})
/** What flags, the environment or `p2pd tags` said last: the next start needs no flags. */
const peerSchema = z.strictObject({
  name: z.string().regex(namePattern).optional(),
  listen: z.array(z.string().refine(isListenAddress)).min(1).max(maxAddressCount).optional(),
  announce: z.array(z.string().refine(isDialAddress)).max(maxAddressCount).optional(),
  expect: z.int().min(2).optional(),
  tags: z
    .record(z.string(), z.string())
    .refine((tags) => tagsProblem(tags) === undefined)
    .optional(),
})

export type SavedCluster = Readonly<z.infer<typeof clusterSchema>>
export type SavedPeer = Readonly<z.infer<typeof peerSchema>>

export function readCluster(path: string): Promise<SavedCluster | undefined> {
  return read(path, clusterSchema)
}

export function readPeer(path: string): Promise<SavedPeer | undefined> {
  return read(path, peerSchema)
}

export function writeCluster(path: string, saved: SavedCluster): Promise<void> {
  return write(path, saved)
}

/** Changes of what is saved of a peer, one after the other. */
export class PeerMemory {
  readonly #path: string
  #saved: SavedPeer
  #done: Promise<unknown> = Promise.resolve()

  constructor(path: string, saved: SavedPeer | undefined) {
    this.#path = path
    this.#saved = saved ?? {}
  }

  /** What is undefined stays as it was. Rejects when it cannot be written, and nothing has changed. */
  async remember(changes: { readonly [Key in keyof SavedPeer]: SavedPeer[Key] | undefined }): Promise<void> {
    const written = this.#done.then(() => this.#write(changes))
    this.#done = written.catch(() => {})
    await written
  }

  async #write(changes: object): Promise<void> {
    const known = Object.entries(changes).filter(([, value]) => value !== undefined)
    if (known.length === 0) return
    const next: SavedPeer = { ...this.#saved, ...Object.fromEntries(known) }
    await write(this.#path, next)
    this.#saved = next
  }
}

async function read<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.infer<Schema> | undefined> {
  const text = await readFileIfAny(path, 64 * 1024)
  if (text === undefined) return undefined
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new P2pdError('ERR_STATE_CORRUPT', `${path} is damaged`, {
      hint: 'restore it from a backup, or move the data directory away and join anew with an invite',
      cause,
    })
  }
}

/** Unchanged contents are not written again, so that a full disk does not stop a start without news. */
async function write(path: string, saved: SavedCluster | SavedPeer): Promise<void> {
  const text = `${JSON.stringify(saved, null, 2)}\n`
  if ((await readFileIfAny(path, 64 * 1024)) !== text) await writeFileAtomically(path, text)
}

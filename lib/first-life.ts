/**
 * Who a peer is and what it remembers, opened in the order that tells a new
 * identity from one whose disk was lost.
 *
 * ```
 *   records of the plugins ──▶ mark in the store ──▶ identity.key
 * ```
 *
 * A crash in between leaves records of an identity that never came to be; the
 * next start makes another one and replaces them. The mark names the identity
 * that the store was made with: an identity that finds a store without it has
 * lived elsewhere before, and what its plugins knew then is gone.
 */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  cryptoOf,
  generateIdentity,
  type Identity,
  identityFromBytes,
  loadIdentity,
  saveIdentity,
} from './host/identity.ts'
import { type Entries, memoryStore, openStore, type Store } from './host/store.ts'
import type { PeerPlugin } from './plugin.ts'
import type { PeerId } from './protocols/core.ts'
import { P2pdError } from './wire/errors.ts'

export interface LifeInit {
  readonly dataDir: string | undefined
  /** Instead of that in `dataDir`, or of a new one. */
  readonly identity: Uint8Array | undefined
  /** The given identity has never run before. */
  readonly newIdentity: boolean
  readonly cluster: string
  readonly joins: boolean
  readonly plugins: readonly PeerPlugin[]
}

export interface Life {
  readonly identity: Identity
  readonly store: Store
}

const namespace = 'host'
const identityMark = 'identity'
const beginningOf = (plugin: string): string => `begun/${plugin}`

/** Errors: ERR_KEY_*, ERR_STORE_*, ERR_DISK_FULL, and what a plugin throws. */
export async function openLife(init: LifeInit): Promise<Life> {
  const { dataDir } = init
  if (dataDir !== undefined) await makeDirectory(dataDir)
  // Before the store is made, so that a key that cannot be read leaves nothing behind.
  const before = await givenOrSaved(init)
  const store = dataDir === undefined ? memoryStore() : await openStore(join(dataDir, 'store'))
  try {
    // Only one process has the store: who made a key before that opened has finished.
    const known = before ?? (await givenOrSaved(init))
    const identity = known ?? (await generateIdentity())
    const made = markOf(store)
    const isNew = known === undefined || (init.newIdentity && made === undefined)
    if (!isNew && made !== undefined && made !== identity.peerId) throw ofAnother(identity.peerId, made)
    if (isNew || made !== undefined) await writeFirstRecords(store, identity, isNew, init)
    if (known === undefined && dataDir !== undefined) await saveIdentity(keyIn(dataDir), identity)
    return { identity, store }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** The identity in `dataDir`; made there, with a store, when there is none. Errors: as `openLife`. */
export async function settleIdentity(dataDir: string): Promise<PeerId> {
  const life = await openLife({
    dataDir,
    identity: undefined,
    newIdentity: false,
    cluster: '',
    joins: false,
    plugins: [],
  })
  await life.store.close()
  return life.identity.peerId
}

async function givenOrSaved({ identity, dataDir }: LifeInit): Promise<Identity | undefined> {
  if (identity !== undefined) return identityFromBytes(identity)
  return dataDir === undefined ? undefined : await loadIdentity(keyIn(dataDir))
}

async function writeFirstRecords(
  store: Store,
  identity: Identity,
  isNew: boolean,
  { cluster, joins, plugins }: LifeInit,
): Promise<void> {
  const own = store.load(namespace)
  const marks = new Map<string, Uint8Array | undefined>()
  if (isNew) {
    marks.set(identityMark, new TextEncoder().encode(identity.peerId))
    for (const key of own.keys()) if (key.startsWith(beginningOf(''))) marks.set(key, undefined)
  }
  const crypto = cryptoOf(identity)
  const first = { self: identity.peerId, cluster, crypto, randomBytes: bytes, joins }
  for (const plugin of plugins) {
    if (plugin.firstRecords === undefined) continue
    if (!isNew && own.has(beginningOf(plugin.name))) continue
    await store.write(plugin.name, instead(store.load(plugin.name), plugin.firstRecords(first)))
    marks.set(beginningOf(plugin.name), new Uint8Array([1]))
  }
  if (marks.size > 0) await store.write(namespace, marks)
}

/** The new records, and none of the old. */
function instead(old: ReadonlyMap<string, Uint8Array>, records: ReadonlyMap<string, Uint8Array>): Entries {
  return new Map<string, Uint8Array | undefined>([
    ...[...old.keys()].map((key) => [key, undefined] as const),
    ...records,
  ])
}

function markOf(store: Store): string | undefined {
  const bytes = store.load(namespace).get(identityMark)
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
}

function ofAnother(self: PeerId, made: string): P2pdError {
  return new P2pdError('ERR_STORE_IDENTITY', `the store is that of ${made}, and this is ${self}`, {
    hint: 'put its own identity.key back, or take another data directory for this one',
  })
}

function bytes(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length))
}

function keyIn(dataDir: string): string {
  return join(dataDir, 'identity.key')
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new P2pdError('ERR_STORE_ACCESS', `cannot make the data directory ${path}: ${String(cause)}`, {
      hint: 'choose a directory that you may write to',
      cause,
    })
  }
}

import './with-resolvers.ts'
import { readdir } from 'node:fs/promises'
import { ClassicLevel } from 'classic-level'
import { LevelDatastore } from 'datastore-level'
import type { Batch, Datastore, Key } from 'interface-datastore'
import { P2pdError } from '../wire/errors.ts'
import { hasCode } from './key-file.ts'
import { decodeSeal, emptySeal, encodeSeal, reseal, type Seal, Witness } from './store-seal.ts'

/** What survives a restart: small records by namespace and key. */
export interface Store {
  /** All records of a namespace. */
  load(namespace: string): ReadonlyMap<string, Uint8Array>
  /** Resolves when all entries are on the disk; all of them are, or none. Errors: ERR_DISK_FULL, ERR_STORE_*. */
  write(namespace: string, entries: ReadonlyMap<string, Uint8Array>): Promise<void>
  /** For libp2p's peer store; undefined keeps that in memory. */
  readonly datastore: Datastore | undefined
  close(): Promise<void>
}

/** For a peer without a data directory: forgets everything when the process ends. */
export function memoryStore(): Store {
  const namespaces = new Map<string, Map<string, Uint8Array>>()
  return {
    load: (namespace) => new Map(namespaces.get(namespace)),
    write: async (namespace, entries) => {
      const records = namespaces.get(namespace) ?? new Map<string, Uint8Array>()
      namespaces.set(namespace, records)
      for (const [key, value] of entries) records.set(key, value)
    },
    datastore: undefined,
    close: async () => {},
  }
}

type Level = ClassicLevel<string, Uint8Array>

/** libp2p's own keys all begin with a slash. */
const recordPrefix = 'p2pd!'
const sealKey = 'seal!'

/** Own records are few and small: LevelDB's defaults (4 and 8 MiB) would only cost memory. */
const levelOptions = {
  keyEncoding: 'utf8',
  valueEncoding: 'view',
  cacheSize: 1 << 20,
  writeBufferSize: 1 << 20,
}

/**
 * Opens or makes the store in `directory`. Nothing in it is ever deleted or
 * repaired. Errors: ERR_STORE_CORRUPT (damaged, or older than it was),
 * ERR_STORE_LOCKED, ERR_STORE_ACCESS, ERR_DISK_FULL.
 */
export async function openStore(directory: string): Promise<Store> {
  await refuseHeadless(directory)
  const level: Level = new ClassicLevel<string, Uint8Array>(directory, levelOptions)
  try {
    await level.open()
    const records = await readRecords(level)
    const seal = await readSeal(level)
    const witness = await checkSeal(directory, records, seal)
    return new LevelStore(level, records, seal ?? emptySeal, witness)
  } catch (error) {
    await level.close().catch(() => {})
    throw storeError(directory, error)
  }
}

class LevelStore implements Store {
  readonly datastore: Datastore
  readonly #level: Level
  readonly #records: Map<string, Uint8Array>
  readonly #witness: Witness
  #seal: Seal
  #writes: Promise<void> = Promise.resolve()
  #broken = false
  #closed = false

  constructor(level: Level, records: Map<string, Uint8Array>, seal: Seal, witness: Witness) {
    this.#level = level
    this.#records = records
    this.#seal = seal
    this.#witness = witness
    this.datastore = new PeerStoreCache(asLevel(level))
  }

  load(namespace: string): ReadonlyMap<string, Uint8Array> {
    const prefix = `${namespace}/`
    return new Map(
      [...this.#records]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, value]) => [key.slice(prefix.length), value]),
    )
  }

  write(namespace: string, entries: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const written = this.#writes.then(() => this.#write(namespace, entries))
    this.#writes = written.catch(() => {})
    return written
  }

  async #write(namespace: string, entries: ReadonlyMap<string, Uint8Array>): Promise<void> {
    if (this.#closed) throw new P2pdError('ERR_STORE_CLOSED', 'the store is closed')
    let seal: Seal = { count: this.#seal.count + 1n, digest: this.#seal.digest }
    const batch: { type: 'put'; key: string; value: Uint8Array }[] = []
    for (const [name, value] of entries) {
      const key = `${namespace}/${name}`
      seal = reseal(seal, key, this.#records.get(key), value)
      batch.push({ type: 'put', key: recordPrefix + key, value })
    }
    batch.push({ type: 'put', key: sealKey, value: encodeSeal(seal) })
    try {
      await this.#reopen()
      await this.#level.batch(batch, { sync: true })
      await this.#witness.write(seal.count)
    } catch (error) {
      this.#broken = true
      throw storeError(this.#level.location, error)
    }
    this.#seal = seal
    for (const [name, value] of entries) this.#records.set(`${namespace}/${name}`, value)
  }

  /** After a failed write LevelDB refuses all later ones until it is opened anew. */
  async #reopen(): Promise<void> {
    if (!this.#broken) return
    await this.#level.close()
    await this.#level.open()
    this.#broken = false
  }

  async close(): Promise<void> {
    await this.#writes
    if (this.#closed) return
    this.#closed = true
    await this.#level.close()
    await this.#witness.close()
  }
}

/** `level`'s class is classic-level's on Node; only its typings describe an older `get`. */
function asLevel(level: Level): Exclude<ConstructorParameters<typeof LevelDatastore>[0], string> {
  return level as unknown as Exclude<ConstructorParameters<typeof LevelDatastore>[0], string>
}

/**
 * libp2p's peer store is a cache here, and libp2p fails a stream when it cannot
 * read or write it: a full disk must not cost the connections.
 */
class PeerStoreCache extends LevelDatastore {
  override async get(key: Key): Promise<Uint8Array> {
    try {
      return await super.get(key)
    } catch (cause) {
      // libp2p goes by the name.
      throw Object.assign(new Error(`no ${key}`, { cause }), { name: 'NotFoundError' })
    }
  }

  override async has(key: Key): Promise<boolean> {
    return await super.has(key).catch(() => false)
  }

  override async put(key: Key, value: Uint8Array): Promise<Key> {
    await super.put(key, value).catch(() => {})
    return key
  }

  override async delete(key: Key): Promise<void> {
    await super.delete(key).catch(() => {})
  }

  override batch(): Batch {
    const batch = super.batch()
    return { ...batch, commit: (options) => Promise.resolve(batch.commit(options)).catch(() => {}) }
  }
}

async function readRecords(level: Level): Promise<Map<string, Uint8Array>> {
  const records = new Map<string, Uint8Array>()
  for await (const [key, value] of level.iterator({ gte: recordPrefix, lt: `${recordPrefix}\xff` })) {
    records.set(key.slice(recordPrefix.length), Uint8Array.from(value))
  }
  return records
}

async function readSeal(level: Level): Promise<Seal | undefined> {
  const bytes = await level.get(sealKey)
  if (bytes === undefined) return undefined
  const seal = decodeSeal(bytes)
  if (seal === undefined) throw corrupt(level.location, 'its seal is no seal')
  return seal
}

async function checkSeal(
  directory: string,
  records: ReadonlyMap<string, Uint8Array>,
  seal: Seal | undefined,
): Promise<Witness> {
  let digest = emptySeal
  for (const [key, value] of records) digest = reseal(digest, key, undefined, value)
  if (!Buffer.from(digest.digest).equals((seal ?? emptySeal).digest)) {
    throw corrupt(directory, 'its records do not match their seal')
  }
  const names = await readdir(directory)
  if (!names.includes(Witness.fileName)) {
    if (seal === undefined) return await Witness.create(directory)
    throw corrupt(directory, 'its witness is missing')
  }
  const witness = await Witness.open(directory)
  const count = await witness.read()
  if (count !== undefined && (seal?.count ?? 0n) >= count) return witness
  await witness.close()
  throw corrupt(directory, count === undefined ? 'its witness is damaged' : 'its last records are missing')
}

/** LevelDB takes a directory without CURRENT for a new one and deletes what lies there. */
async function refuseHeadless(directory: string): Promise<void> {
  const names = await readdir(directory).catch((): string[] => [])
  const used = names.some((name) => name === Witness.fileName || /\.(ldb|log)$/.test(name))
  if (used && !names.includes('CURRENT')) throw corrupt(directory, 'its file CURRENT is missing')
}

function corrupt(directory: string, reason: string, cause?: unknown): P2pdError {
  return new P2pdError('ERR_STORE_CORRUPT', `the store at ${directory} is damaged: ${reason}`, {
    hint: 'put the directory back from a backup, or move it away to begin as a new peer; no record is deleted or repaired',
    cause,
  })
}

function storeError(directory: string, error: unknown): P2pdError {
  if (error instanceof P2pdError) return error
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const text = cause instanceof Error ? cause.message : String(cause)
  if (hasCode(cause, 'LEVEL_LOCKED')) {
    return new P2pdError('ERR_STORE_LOCKED', `the store at ${directory} is in use by another process`, {
      hint: 'one p2pd a data directory; stop the other one or choose another directory',
      cause,
    })
  }
  if (/no space left|ENOSPC|quota/i.test(text)) {
    return new P2pdError('ERR_DISK_FULL', `no space left for the store at ${directory}`, {
      hint: 'free some space; nothing that was written before is lost',
      cause,
    })
  }
  // LevelDB calls a file that is missing or too short an input/output error.
  const unreadable = /(MANIFEST-\d+|\d+\.ldb|\d+\.log): (No such file|Invalid argument)/.test(text)
  if (hasCode(cause, 'LEVEL_CORRUPTION') || unreadable) {
    return corrupt(directory, text, cause)
  }
  return new P2pdError('ERR_STORE_ACCESS', `cannot use the store at ${directory}: ${text}`, {
    hint: 'check that the directory belongs to the user who runs p2pd and can be written',
    cause,
  })
}

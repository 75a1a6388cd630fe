import './with-resolvers.ts'
import { readdir } from 'node:fs/promises'
import { ClassicLevel } from 'classic-level'
import { LevelDatastore } from 'datastore-level'
import type { Batch, Datastore, Key } from 'interface-datastore'
import { P2pdError } from '../wire/errors.ts'
import { hasCode } from './key-file.ts'
import { decodeSeal, emptySeal, encodeSeal, reseal, type Seal, Witness } from './store-seal.ts'

/** Undefined deletes the key. */
export type Entries = ReadonlyMap<string, Uint8Array | undefined>

/** What survives a restart: small records by namespace and key. */
export interface Store {
  /** All records of a namespace. */
  load(namespace: string): ReadonlyMap<string, Uint8Array>
  /** Resolves when all entries are on the disk; all of them are, or none. Errors: ERR_DISK_FULL, ERR_STORE_*. */
  write(namespace: string, entries: Entries): Promise<void>
  /** For what is written with each message; namespaces are apart from those above. */
  journal(namespace: string): Journal
  /** For libp2p's peer store; undefined keeps that in memory. */
  readonly datastore: Datastore | undefined
  close(): Promise<void>
}

/**
 * Records that are written too often to be sealed and synced each time.
 *
 * A write survives the end of the process, also by SIGKILL, but not that of the
 * machine, until a later `Store.write` has flushed it on its way. Nothing is kept in
 * memory, and no witness tells that the end of the journal was cut off: whoever
 * keeps something here must be able to do without what came last.
 */
export interface Journal {
  /** All records. Errors: ERR_STORE_*. */
  load(): Promise<ReadonlyMap<string, Uint8Array>>
  /** Resolves when all entries are handed to the operating system; all of them are, or none. Errors: as `Store.write`. */
  write(entries: Entries): Promise<void>
}

/** For a peer without a data directory: forgets everything when the process ends. */
export function memoryStore(): Store {
  const namespaces = new Map<string, Map<string, Uint8Array>>()
  const journals = new Map<string, Map<string, Uint8Array>>()
  return {
    load: (namespace) => new Map(namespaces.get(namespace)),
    write: async (namespace, entries) => change(recordsOf(namespaces, namespace), entries),
    journal: (namespace) => ({
      load: async () => new Map(journals.get(namespace)),
      write: async (entries) => change(recordsOf(journals, namespace), entries),
    }),
    datastore: undefined,
    close: async () => {},
  }
}

function recordsOf(all: Map<string, Map<string, Uint8Array>>, namespace: string): Map<string, Uint8Array> {
  const records = all.get(namespace) ?? new Map<string, Uint8Array>()
  all.set(namespace, records)
  return records
}

function change(records: Map<string, Uint8Array>, entries: Entries): void {
  for (const [key, value] of entries) {
    if (value === undefined) records.delete(key)
    else records.set(key, value)
  }
}

type Level = ClassicLevel<string, Uint8Array>
type Operation = { type: 'put'; key: string; value: Uint8Array } | { type: 'del'; key: string }

const operation = (key: string, value: Uint8Array | undefined): Operation =>
  value === undefined ? { type: 'del', key } : { type: 'put', key, value }

/** libp2p's own keys all begin with a slash. */
const recordPrefix = 'p2pd!'
const journalPrefix = 'journal!'
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
    const records = await readAll(level, recordPrefix)
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

  write(namespace: string, entries: Entries): Promise<void> {
    return this.#inTurn(() => this.#write(namespace, entries))
  }

  journal(namespace: string): Journal {
    const prefix = `${journalPrefix}${namespace}/`
    return {
      load: () => this.#inTurn(() => readAll(this.#level, prefix)),
      write: (entries) =>
        this.#inTurn(() =>
          this.#level.batch(
            [...entries].map(([name, value]) => operation(prefix + name, value)),
            { sync: false },
          ),
        ),
    }
  }

  /** One at a time, so that none meets a store that is being opened anew. */
  #inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    const done = this.#writes.then(() => this.#attempt(task))
    this.#writes = done.then(
      () => {},
      () => {},
    )
    return done
  }

  async #attempt<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#closed) throw new P2pdError('ERR_STORE_CLOSED', 'the store is closed')
    try {
      await this.#reopen()
      return await task()
    } catch (error) {
      this.#broken = true
      throw storeError(this.#level.location, error)
    }
  }

  async #write(namespace: string, entries: Entries): Promise<void> {
    let seal: Seal = { count: this.#seal.count + 1n, digest: this.#seal.digest }
    const batch: Operation[] = []
    const records = new Map([...entries].map(([name, value]) => [`${namespace}/${name}`, value]))
    for (const [key, value] of records) {
      seal = reseal(seal, key, this.#records.get(key), value)
      batch.push(operation(recordPrefix + key, value))
    }
    batch.push({ type: 'put', key: sealKey, value: encodeSeal(seal) })
    await this.#level.batch(batch, { sync: true })
    await this.#witness.write(seal.count)
    this.#seal = seal
    change(this.#records, records)
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

/** The records under `prefix`, by what follows it. */
async function readAll(level: Level, prefix: string): Promise<Map<string, Uint8Array>> {
  const records = new Map<string, Uint8Array>()
  for await (const [key, value] of level.iterator({ gte: prefix, lt: `${prefix}\xff` })) {
    records.set(key.slice(prefix.length), Uint8Array.from(value))
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

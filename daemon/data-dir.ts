/**
 * The data directory: what lies where, and that nobody else may look.
 *
 * ```
 * identity.key     Ed25519 key of this peer           cluster.secret   who holds it may come in
 * cluster.json     the cluster's name and contacts    peer.json        name and ports used last
 * config.toml      written by init, edited by people  store/           what membership remembers
 * lock/            held while a daemon runs           daemon.pid       of that daemon, for people
 * control.sock     the control API, or control.path with its place
 * ```
 */
import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { P2pdError } from '../lib/wire/errors.ts'
import { explainFileError, systemCode } from './files.ts'
import { controlNotePath, controlSocketPath } from './paths.ts'

export interface DataDir {
  readonly path: string
  readonly identity: string
  readonly secret: string
  readonly cluster: string
  readonly peer: string
  readonly config: string
  readonly store: string
  readonly lock: string
  readonly pid: string
  readonly controlSocket: string
  readonly controlNote: string
  readonly controlToken: string
}

/** `path` is absolute. Touches nothing. */
export function dataDirAt(path: string): DataDir {
  return {
    path,
    identity: join(path, 'identity.key'),
    secret: join(path, 'cluster.secret'),
    cluster: join(path, 'cluster.json'),
    peer: join(path, 'peer.json'),
    config: join(path, 'config.toml'),
    store: join(path, 'store'),
    lock: join(path, 'lock'),
    pid: join(path, 'daemon.pid'),
    controlSocket: controlSocketPath(path),
    controlNote: controlNotePath(path),
    controlToken: join(path, 'control.token'),
  }
}

/** Which of the daemon's own entries exist, so that a failed start can take back what it made. */
export interface Footprint {
  readonly dir: DataDir
  readonly entries: ReadonlySet<string>
  /** The directory itself existed. */
  readonly existed: boolean
}

export async function takeFootprint(dir: DataDir): Promise<Footprint> {
  const entries = await list(dir.path)
  return { dir, entries: new Set(entries ?? []), existed: entries !== undefined }
}

/** Removes what appeared since, the lock folder last; call it while the lock is still held. */
export async function restoreFootprint({ dir, entries, existed }: Footprint): Promise<void> {
  if (!existed) return await rm(dir.path, { recursive: true, force: true })
  const { path, lock, ...others } = dir
  for (const entry of [...Object.values(others), lock]) {
    if (!entries.has(entry.slice(path.length + 1))) await rm(entry, { recursive: true, force: true })
  }
}

/**
 * Makes the directory, or checks it: it must belong to this user and be closed to
 * all others. An open one is closed if it is empty or holds only p2pd's own
 * files; with anything else in it (it may be somebody's home) it is refused.
 */
export async function openDataDir(dir: DataDir): Promise<void> {
  try {
    await mkdir(dir.path, { recursive: true, mode: 0o700 })
    const { mode, uid } = await stat(dir.path)
    const self = process.getuid?.()
    if (self !== undefined && uid !== self && self !== 0) {
      throw new P2pdError('ERR_DENIED', `${dir.path} belongs to another user`, {
        hint: 'run p2pd as its owner, or choose another data directory with --data',
      })
    }
    if ((mode & 0o077) === 0) return
    await assertOwnFilesOnly(dir)
    await chmod(dir.path, 0o700)
  } catch (error) {
    throw explainFileError(error, dir.path)
  }
}

async function assertOwnFilesOnly(dir: DataDir): Promise<void> {
  const own = new Set(Object.values(dir).map((path) => path.slice(dir.path.length + 1)))
  const foreign = (await list(dir.path))?.find((entry) => !own.has(entry))
  if (foreign === undefined) return
  throw new P2pdError(
    'ERR_DATA_DIR',
    `${dir.path} is open to other users and holds files that are not p2pd's, like ${foreign}`,
    { hint: `choose a directory of its own with --data, or close it: chmod 700 ${dir.path}` },
  )
}

async function list(path: string): Promise<string[] | undefined> {
  try {
    return await readdir(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw explainFileError(error, path)
  }
}

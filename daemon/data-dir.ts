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
import { chmod, mkdir, readdir, rm, rmdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
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

/** What lay there, so that a failed start can take back what it made. */
export interface Footprint {
  readonly dir: DataDir
  /** Before anything was made; undefined: not even the directory. */
  readonly before: ReadonlySet<string> | undefined
  /** Once the lock was held: from then on whatever appears is our own. */
  readonly underLock: ReadonlySet<string> | undefined
}

export async function takeFootprint(dir: DataDir): Promise<Footprint> {
  return { dir, before: await entries(dir.path), underLock: undefined }
}

export async function lockedFootprint(footprint: Footprint): Promise<Footprint> {
  return { ...footprint, underLock: await entries(footprint.dir.path) }
}

/** Removes what appeared since; call it while the lock is held, or when it could not be made. */
export async function restoreFootprint({ dir, before, underLock }: Footprint): Promise<void> {
  const { path, lock, pid, ...others } = dir
  if (underLock !== undefined) {
    for (const entry of Object.values(others)) {
      if (!underLock.has(basename(entry))) await rm(entry, { recursive: true, force: true })
    }
  }
  await rm(pid, { force: true })
  if (before?.has(basename(lock))) return
  await rm(lock, { recursive: true, force: true })
  // Only if it is empty: another start may have made it in between.
  if (before === undefined) await rmdir(path).catch(() => {})
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
  const own = new Set(Object.values(dir).map((path) => basename(path)))
  const foreign = [...((await entries(dir.path)) ?? [])].find((entry) => !own.has(entry))
  if (foreign === undefined) return
  throw new P2pdError(
    'ERR_DATA_DIR',
    `${dir.path} is open to other users and holds files that are not p2pd's, like ${foreign}`,
    { hint: `choose a directory of its own with --data, or close it: chmod 700 ${dir.path}` },
  )
}

async function entries(path: string): Promise<ReadonlySet<string> | undefined> {
  try {
    return new Set(await readdir(path))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw explainFileError(error, path)
  }
}

import { randomBytes } from 'node:crypto'
import { type FileHandle, link, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { P2pdError } from '../wire/errors.ts'

/** Keys and secrets are short; whatever is longer is something else. */
const maxSecretFileBytes = 4096

/**
 * Writes a secret that must not exist yet, readable by its owner alone.
 *
 * It appears whole or not at all, also over a power cut: written and synced
 * under another name, then linked (which refuses an existing file), then the
 * directory is synced. Errors: ERR_KEY_EXISTS, ERR_DISK_FULL, ERR_KEY_ACCESS.
 */
export async function createSecretFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await link(draft, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    throw writeError(path, error)
  } finally {
    await unlink(draft).catch(() => {})
  }
}

/**
 * Reads a secret that only its owner can read; undefined when there is none.
 * Errors: ERR_KEY_PERMISSIONS, ERR_KEY_CORRUPT, ERR_KEY_ACCESS.
 */
export async function readSecretFile(path: string): Promise<string | undefined> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw accessError(path, error)
  }
  try {
    await refuseLoose(path, file)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

async function refuseLoose(path: string, file: FileHandle): Promise<void> {
  const found = await file.stat()
  if (!found.isFile() || found.size > maxSecretFileBytes) throw corruptKey(path, 'it is not a key file')
  if ((found.mode & 0o077) !== 0) {
    const mode = (found.mode & 0o777).toString(8).padStart(4, '0')
    throw new P2pdError('ERR_KEY_PERMISSIONS', `${path} can be read by others (mode ${mode})`, {
      hint: `chmod 600 ${path}, and consider its content known to whoever could read it`,
    })
  }
  const uid = process.getuid?.()
  if (uid !== undefined && found.uid !== uid) {
    throw new P2pdError('ERR_KEY_PERMISSIONS', `${path} belongs to another user (uid ${found.uid})`, {
      hint: `chown ${uid} ${path}, or run as its owner`,
    })
  }
}

/** A secret that cannot be one: torn, edited, or of another program. */
export function corruptKey(path: string, reason: string): P2pdError {
  return new P2pdError('ERR_KEY_CORRUPT', `${path} is damaged: ${reason}`, {
    hint: 'put it back from a backup; p2pd never overwrites it',
  })
}

/** Makes a new directory entry survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function writeError(path: string, error: unknown): P2pdError {
  if (hasCode(error, 'EEXIST')) {
    return new P2pdError('ERR_KEY_EXISTS', `${path} exists already`, {
      hint: 'p2pd never overwrites a key; move it away first',
    })
  }
  if (hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')) {
    return new P2pdError('ERR_DISK_FULL', `no space left to write ${path}`, {
      hint: 'free some space',
      cause: error,
    })
  }
  return accessError(path, error)
}

function accessError(path: string, error: unknown): P2pdError {
  return new P2pdError('ERR_KEY_ACCESS', `cannot use ${path}: ${String(error)}`, {
    hint: 'check that the directory exists and belongs to the user who runs p2pd',
    cause: error,
  })
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

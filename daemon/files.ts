/** Files that are either whole or not there, whatever happens half way. */
import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { P2pdError } from '../lib/wire/errors.ts'

/** Writes beside `path`, syncs, renames, syncs the folder. Mode 0600. */
export async function writeFileAtomically(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw explainFileError(error, path)
  }
}

/** The text of a file of at most `maxBytes`; undefined when there is none. */
export async function readFileIfAny(path: string, maxBytes: number): Promise<string | undefined> {
  try {
    const file = await open(path, 'r')
    try {
      const { size } = await file.stat()
      if (size > maxBytes) throw new P2pdError('ERR_FILE_TOO_LARGE', `${path} exceeds ${maxBytes} bytes`)
      return await readFile(file, 'utf8')
    } finally {
      await file.close()
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw explainFileError(error, path)
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** A system error about a file as one line with a code and a hint. */
export function explainFileError(error: unknown, path: string): unknown {
  if (error instanceof P2pdError) return error
  switch (systemCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new P2pdError('ERR_DISK_FULL', `no space left to write ${path}`, {
        hint: 'free some space and start again; nothing was lost',
        cause: error,
      })
    case 'EACCES':
    case 'EPERM':
      return new P2pdError('ERR_DENIED', `${path} may not be used by this user`, {
        hint: 'run p2pd as the owner of the data directory',
        cause: error,
      })
    case 'EROFS':
      return new P2pdError('ERR_READ_ONLY', `${path} is on a read-only file system`, {
        hint: 'choose a writable data directory with --data',
        cause: error,
      })
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ENOENT':
    case 'ELOOP':
      return new P2pdError('ERR_DATA_DIR', `${path} cannot be used: ${String(systemCode(error))}`, {
        hint: 'check the path of --data',
        cause: error,
      })
    default:
      return error
  }
}

export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' ? code : undefined
}

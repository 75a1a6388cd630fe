/**
 * One daemon a data directory.
 *
 * The lock is the kernel's record lock that LevelDB takes on its LOCK file: it
 * dies with the process, so there is no stale lock and no pid to be fooled by,
 * and two starts at one moment cannot both get it. Node itself offers no file
 * lock; a Unix socket would need an unlink that races with another start. The
 * pid file beside it is for people and messages only.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { ClassicLevel } from 'classic-level'
import { P2pdError } from '../lib/wire/errors.ts'
import type { DataDir } from './data-dir.ts'
import { explainFileError, systemCode } from './files.ts'

export interface DirectoryLock {
  release(): Promise<void>
}

/** Throws ERR_ALREADY_RUNNING with the pid while another process holds it. */
export async function lockDirectory(dir: DataDir): Promise<DirectoryLock> {
  const level = new ClassicLevel(dir.lock, { writeBufferSize: 64 * 1024, cacheSize: 0 })
  try {
    await level.open()
  } catch (error) {
    throw await explainLockError(error, dir)
  }
  try {
    await writeFile(dir.pid, `${process.pid}\n`, { mode: 0o600 })
  } catch (error) {
    await level.close()
    throw explainFileError(error, dir.pid)
  }
  return {
    async release() {
      await rm(dir.pid, { force: true })
      await level.close()
    },
  }
}

async function explainLockError(error: unknown, dir: DataDir): Promise<unknown> {
  const cause = error instanceof Error ? error.cause : undefined
  if (systemCode(cause) === 'LEVEL_LOCKED') {
    const pid = await holder(dir)
    return new P2pdError(
      'ERR_ALREADY_RUNNING',
      `a daemon${pid === undefined ? '' : ` with pid ${pid}`} is running on ${dir.path}`,
      { hint: "talk to it with 'p2pd status', or choose another data directory with --data" },
    )
  }
  const detail = cause instanceof Error ? cause.message : String(error)
  if (/no space left|disk quota/i.test(detail)) {
    return new P2pdError('ERR_DISK_FULL', `no space left to lock ${dir.path}`, {
      hint: 'free some space and start again; nothing was lost',
      cause: error,
    })
  }
  return new P2pdError('ERR_DATA_DIR', `${dir.path} cannot be locked: ${detail}`, {
    hint: `the folder ${dir.lock} holds no data: if it is damaged, remove it and start again`,
    cause: error,
  })
}

/** Another start writes its pid right after it has the lock: give it that moment. */
async function holder(dir: DataDir): Promise<number | undefined> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const pid = await livePid(dir.pid)
    if (pid !== undefined) return pid
    await delay(50)
  }
  return undefined
}

async function livePid(path: string): Promise<number | undefined> {
  try {
    const pid = Number.parseInt(await readFile(path, 'utf8'), 10)
    if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
    process.kill(pid, 0)
    return pid
  } catch {
    return undefined
  }
}

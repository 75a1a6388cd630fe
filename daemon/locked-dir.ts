/** A data directory that is this process's alone, and as it was if what was meant to happen fails. */
import { P2pdError } from '../lib/wire/errors.ts'
import {
  type DataDir,
  type Footprint,
  lockedFootprint,
  openDataDir,
  restoreFootprint,
  takeFootprint,
} from './data-dir.ts'
import { type DirectoryLock, lockDirectory } from './lock.ts'

export interface LockedDir {
  /** Keeps everything that was made. */
  release(): Promise<void>
  /** Takes back everything that was made. */
  restore(): Promise<void>
}

/** Throws ERR_ALREADY_RUNNING, ERR_DATA_DIR, ERR_DENIED or ERR_DISK_FULL. */
export async function lockDataDir(dir: DataDir): Promise<LockedDir> {
  const untouched = await takeFootprint(dir)
  const { lock, footprint } = await open(untouched)
  return {
    release: () => lock.release(),
    async restore() {
      await restoreFootprint(footprint)
      await lock.release()
    },
  }
}

async function open(untouched: Footprint): Promise<{ lock: DirectoryLock; footprint: Footprint }> {
  try {
    await openDataDir(untouched.dir)
    const lock = await lockDirectory(untouched.dir)
    return { lock, footprint: await lockedFootprint(untouched) }
  } catch (error) {
    const taken = error instanceof P2pdError && error.code === 'ERR_ALREADY_RUNNING'
    if (!taken) await restoreFootprint(untouched)
    throw error
  }
}

export async function inLockedDir<Result>(dir: DataDir, act: () => Promise<Result>): Promise<Result> {
  const locked = await lockDataDir(dir)
  try {
    const result = await act()
    await locked.release()
    return result
  } catch (error) {
    await locked.restore()
    throw error
  }
}

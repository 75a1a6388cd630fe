import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Temporary folders of one suite; call `removeTempDirs` in `afterEach`. */
const made: string[] = []

export async function tempDir(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'p2pd-test-'))
  made.push(path)
  return path
}

export async function removeTempDirs(): Promise<void> {
  for (const path of made.splice(0)) await rm(path, { recursive: true, force: true })
}

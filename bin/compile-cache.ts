import module from 'node:module'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { Environment } from '../daemon/paths.ts'

/**
 * Node 22.1 and later can keep compiled code on disk, which saves the daemon a
 * tenth of its start. Not in the platform's default, a folder of /tmp that
 * anybody may have made before: what lies there is run.
 */
export function enableCompileCache(env: Environment): void {
  const enable: unknown = Reflect.get(module, 'enableCompileCache')
  if (typeof enable !== 'function') return
  const base = env.XDG_CACHE_HOME
  enable(join(base && isAbsolute(base) ? base : join(homedir(), '.cache'), 'p2pd'))
}

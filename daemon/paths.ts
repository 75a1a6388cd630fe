/**
 * Where things are: shared by the daemon and its clients, so it imports nothing
 * but node:path and node:os and touches no file.
 */
import { homedir, tmpdir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The data directory, absolute: the flag, else `P2PD_DATA`, else the XDG base
 * directory (which counts only when absolute, as the specification asks).
 */
export function resolveDataDir(flag: string | undefined, env: Environment): string {
  if (flag) return resolve(flag)
  if (env.P2PD_DATA) return resolve(env.P2PD_DATA)
  const base = env.XDG_DATA_HOME
  return join(base && isAbsolute(base) ? base : join(homedir(), '.local', 'share'), 'p2pd')
}

/**
 * Longest path of a Unix socket, in bytes. The system's limit is 107 and Node 20
 * cuts a longer one silently, so that the socket lands outside its folder.
 */
export const maxSocketPathBytes = 100

export type ControlSocketPlace =
  /** `path` is the socket itself. */
  | { readonly type: 'inside'; readonly path: string }
  /** Make a fresh private folder (mkdtemp) that begins with `prefix`, and note the socket in `notePath`. */
  | { readonly type: 'outside'; readonly prefix: string; readonly notePath: string }

/** Where a daemon on `dataDir` (absolute) puts its control socket. */
export function controlSocketPlace(dataDir: string, env: Environment): ControlSocketPlace {
  const path = controlSocketPath(dataDir)
  if (fitsSocket(path)) return { type: 'inside', path }
  const runtime = env.XDG_RUNTIME_DIR
  const parent = runtime && isAbsolute(runtime) ? runtime : tmpdir()
  return { type: 'outside', prefix: join(parent, 'p2pd-'), notePath: controlNotePath(dataDir) }
}

export function controlSocketPath(dataDir: string): string {
  return join(dataDir, 'control.sock')
}

/** A text file with the socket's path, present only when the socket is outside. */
export function controlNotePath(dataDir: string): string {
  return join(dataDir, 'control.path')
}

export function fitsSocket(path: string): boolean {
  return Buffer.byteLength(path) <= maxSocketPathBytes
}

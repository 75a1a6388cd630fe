/**
 * `p2pd init`: data directory, identity and a config file, and nothing else.
 *
 * No secret: whether this peer founds a cluster or joins one is decided by its
 * first start (`p2pd`, or `p2pd --invite FILE`).
 */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { settleIdentity } from '../lib/first-life.ts'
import { P2pdError } from '../lib/wire/errors.ts'
import { type DaemonFlags, flagSettings, type Settings } from './config.ts'
import { configTemplate } from './config-template.ts'
import { dataDirAt } from './data-dir.ts'
import { writeFileAtomically } from './files.ts'
import { inLockedDir } from './locked-dir.ts'
import { type Environment, resolveDataDir } from './paths.ts'

export interface InitAnswer {
  readonly dataDir: string
  readonly peerId: string
  readonly config: string
  /** False: it was there before, and is unchanged. */
  readonly created: { readonly identity: boolean; readonly config: boolean }
}

/**
 * What exists stays as it is, so that a second `init` is harmless; but flags that
 * an existing config file would make void are an error (ERR_CONFIG_EXISTS).
 */
export async function initDataDir(flags: DaemonFlags, env: Environment): Promise<InitAnswer> {
  const settings = withWholePaths(flagSettings(flags))
  const dir = dataDirAt(resolveDataDir(flags.data, env))
  const hasConfig = await exists(dir.config)
  if (hasConfig && Object.keys(settings).length > 0) {
    throw new P2pdError('ERR_CONFIG_EXISTS', `${dir.config} exists already`, {
      hint: 'edit it, or give the flags to p2pd itself',
    })
  }
  return await inLockedDir(dir, async () => {
    const hadIdentity = await exists(dir.identity)
    const peerId = await settleIdentity(dir.path)
    if (!hasConfig) await writeFileAtomically(dir.config, configTemplate(settings))
    const created = { identity: !hadIdentity, config: !hasConfig }
    return { dataDir: dir.path, peerId, config: dir.config, created }
  })
}

/** A path on the command line is meant from the working directory, one in the file from where that lies. */
function withWholePaths(settings: Settings): Settings {
  const { plugins } = settings
  if (plugins === undefined) return settings
  return { ...settings, plugins: plugins.map((module) => (isPath(module) ? resolve(module) : module)) }
}

function isPath(module: string): boolean {
  return /^\.{1,2}\//.test(module) || /\.[cm]?js$/.test(module)
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}

/**
 * `p2pd init`: data directory, identity and a config file, and nothing else.
 *
 * No secret: whether this peer founds a cluster or joins one is decided by its
 * first start (`p2pd`, or `p2pd --invite FILE`).
 */
import { stat } from 'node:fs/promises'
import { loadOrCreateIdentity } from '../lib/host/identity.ts'
import { P2pdError } from '../lib/wire/errors.ts'
import { type DaemonFlags, flagSettings } from './config.ts'
import { configTemplate } from './config-template.ts'
import { dataDirAt, openDataDir, restoreFootprint, takeFootprint } from './data-dir.ts'
import { writeFileAtomically } from './files.ts'
import { lockDirectory } from './lock.ts'
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
  const settings = flagSettings(flags)
  const dir = dataDirAt(resolveDataDir(flags.data, env))
  const footprint = await takeFootprint(dir)
  const hasConfig = await exists(dir.config)
  if (hasConfig && Object.keys(settings).length > 0) {
    throw new P2pdError('ERR_CONFIG_EXISTS', `${dir.config} exists already`, {
      hint: 'edit it, or give the flags to p2pd itself',
    })
  }
  const hasIdentity = await exists(dir.identity)
  await openDataDir(dir)
  const lock = await lockDirectory(dir)
  try {
    const { peerId } = await loadOrCreateIdentity(dir.identity)
    if (!hasConfig) await writeFileAtomically(dir.config, configTemplate(settings))
    return {
      dataDir: dir.path,
      peerId,
      config: dir.config,
      created: { identity: !hasIdentity, config: !hasConfig },
    }
  } catch (error) {
    await restoreFootprint(footprint)
    throw error
  } finally {
    await lock.release()
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}

/**
 * Where the control API listens: a Unix socket that only this user can open.
 *
 * The directory lock is held by now, so a socket that lies there is of a daemon
 * that died; it is still asked once, because a live one must never be replaced.
 */
import { chmod, lstat, mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { basename, dirname, join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { DataDir } from '../data-dir.ts'
import { explainFileError, readFileIfAny, writeFileAtomically } from '../files.ts'
import { controlSocketPlace, type Environment, fitsSocket } from '../paths.ts'

export interface ControlSocket {
  readonly path: string
  /** After the server is closed: the note and the folder outside the data directory go. */
  remove(): Promise<void>
}

const outsideName = 'control.sock'

export async function listenOnSocket(
  app: FastifyInstance,
  dir: DataDir,
  env: Environment,
): Promise<ControlSocket> {
  const place = controlSocketPlace(dir.path, env)
  await forgetOutside(dir, place.type === 'outside' ? place.prefix : undefined)
  if (place.type === 'inside') {
    await removeStale(place.path)
    await listen(app, place.path)
    return { path: place.path, remove: () => rm(place.path, { force: true }) }
  }
  const folder = await makeFolder(place.prefix)
  const path = join(folder, outsideName)
  const remove = async () => {
    await rm(place.notePath, { force: true })
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await listen(app, path)
    await writeFileAtomically(place.notePath, `${path}\n`)
  } catch (error) {
    await remove()
    throw error
  }
  return { path, remove }
}

async function makeFolder(prefix: string): Promise<string> {
  let folder: string
  try {
    folder = await mkdtemp(prefix)
  } catch (error) {
    throw explainFileError(error, dirname(prefix))
  }
  if (fitsSocket(join(folder, outsideName))) return folder
  await rm(folder, { recursive: true, force: true })
  throw new P2pdError('ERR_PATH_TOO_LONG', `${dirname(prefix)} is too long a path for a Unix socket`, {
    hint: 'set XDG_RUNTIME_DIR or TMPDIR to a shorter directory, or choose a shorter --data',
  })
}

async function listen(app: FastifyInstance, path: string): Promise<void> {
  try {
    await app.listen({ path })
    await chmod(path, 0o600)
  } catch (error) {
    throw explainFileError(error, path)
  }
}

/** The socket of a daemon that died, which the note still names; only what we made ourselves is removed. */
async function forgetOutside(dir: DataDir, prefix: string | undefined): Promise<void> {
  const noted = (await readFileIfAny(dir.controlNote, 4096))?.trim()
  if (noted === undefined) return
  await removeStale(noted)
  const folder = dirname(noted)
  if (prefix !== undefined && folder.startsWith(prefix) && basename(noted) === outsideName) {
    await rm(folder, { recursive: true, force: true })
  }
  await rm(dir.controlNote, { force: true })
}

async function removeStale(path: string): Promise<void> {
  if (await answers(path)) {
    throw new P2pdError('ERR_ALREADY_RUNNING', `a daemon answers at ${path}`, {
      hint: "talk to it with 'p2pd status', or choose another data directory with --data",
    })
  }
  // Nothing else than a socket is ever removed, whatever a note says.
  const found = await lstat(path).catch(() => undefined)
  if (found?.isSocket()) await rm(path, { force: true })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    const settle = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1000, () => settle(true))
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}

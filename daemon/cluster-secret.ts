/** The cluster secret as a file: 32 bytes in base64 and a newline, readable by its owner alone. */
import { randomBytes } from 'node:crypto'
import { corruptKey, createSecretFile, readSecretFile } from '../lib/host/key-file.ts'

export const secretBytes = 32

export function makeClusterSecret(): Uint8Array {
  return new Uint8Array(randomBytes(secretBytes))
}

/** Undefined when there is none. Errors: ERR_KEY_PERMISSIONS, ERR_KEY_CORRUPT, ERR_KEY_ACCESS. */
export async function readClusterSecret(path: string): Promise<Uint8Array | undefined> {
  const text = await readSecretFile(path)
  if (text === undefined) return undefined
  // The last byte written is the newline: without it the file is torn.
  if (!/^[A-Za-z0-9+/]{43}=\n$/.test(text)) throw corruptKey(path, 'it is torn or not a cluster secret')
  return new Uint8Array(Buffer.from(text, 'base64'))
}

/** Errors: ERR_KEY_EXISTS, ERR_DISK_FULL, ERR_KEY_ACCESS. */
export function writeClusterSecret(path: string, secret: Uint8Array): Promise<void> {
  return createSecretFile(path, `${Buffer.from(secret).toString('base64')}\n`)
}

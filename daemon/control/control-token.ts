/** The bearer token of the control API over TCP: made once, readable by its owner alone. */
import { randomBytes } from 'node:crypto'
import { corruptKey, createSecretFile, readSecretFile } from '../../lib/host/key-file.ts'

/** Errors: those of a key file, ERR_KEY_CORRUPT for anything shorter than 32 printable characters. */
export async function readOrMakeToken(path: string): Promise<string> {
  const found = await readSecretFile(path)
  if (found !== undefined) {
    const token = found.trim()
    if (/^[\x21-\x7e]{32,512}$/.test(token)) return token
    throw corruptKey(path, 'a token is one line of 32 to 512 printable characters')
  }
  const token = randomBytes(32).toString('base64url')
  await createSecretFile(path, `${token}\n`)
  return token
}

/** Where a peer is, on the disk and on the network, when that is changed between two lives. */
import { once } from 'node:events'
import { readdir, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { P2pdError } from '../../lib/wire/errors.ts'

const keyFile = 'identity.key'

/** Removes everything in a data directory, or everything but the key. Throws ERR_TESTNET when there is no key to keep. */
export async function wipe(dataDir: string, keep?: 'key'): Promise<void> {
  const entries = await readdir(dataDir)
  if (keep === 'key' && !entries.includes(keyFile)) {
    throw new P2pdError('ERR_TESTNET', `there is no ${keyFile} to keep in ${dataDir}`)
  }
  const removed = entries.filter((entry) => keep !== 'key' || entry !== keyFile)
  for (const entry of removed) await rm(join(dataDir, entry), { recursive: true, force: true })
}

/** A port of loopback at which nobody listens at this moment. */
export async function freePort(loopback: string): Promise<number> {
  const server = createServer().listen(0, loopback)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

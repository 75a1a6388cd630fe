// Peers that come and go, in one process: killed, they are all gone at once.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join as joined } from 'node:path'
import { createPeer } from 'p2pd'
import { obey } from './lines.mjs'

let setting = {}
const present = []
/** Data directories of those that stopped, and may return. */
const stopped = []
let changes = 0

async function open(dataDir) {
  present.push({ dataDir, peer: await start(dataDir) })
}

/**
 * Who returns wants the port that it had, and a port that was found free can be gone
 * a moment later: within an hour one of some thousand outgoing connections here has it.
 * A peer refuses to start then, and who runs it gives it another port.
 */
async function start(dataDir, port = 0, tries = 5) {
  const listen = [`/ip4/127.0.0.1/tcp/${port}`]
  try {
    return await createPeer({ cluster: 'churn', ...setting, dataDir, listen, profile: 'local' })
  } catch (error) {
    if (error.code !== 'ERR_PORT_IN_USE' || tries <= 1) throw error
    return await start(dataDir, await freePort(), tries - 1)
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

await obey({
  meet({ secret, join }) {
    setting = { secret, join }
  },
  async come() {
    await open(await mkdtemp(joined(process.cwd(), 'guest-')))
  },
  async return() {
    const dataDir = stopped.shift()
    if (dataDir !== undefined) await open(dataDir)
  },
  async leave() {
    const guest = present.shift()
    if (guest === undefined) return
    await guest.peer.leave({ force: true })
    await rm(guest.dataDir, { recursive: true, force: true, maxRetries: 5 })
  },
  async stop() {
    const guest = present.shift()
    if (guest === undefined) return
    await guest.peer.stop()
    stopped.push(guest.dataDir)
  },
  retag() {
    changes += 1
    present[changes % present.length]?.peer.setTags({ change: String(changes) })
  },
})

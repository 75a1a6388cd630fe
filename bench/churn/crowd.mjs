// Peers that come and go, in one process: killed, they are all gone at once.
import { mkdtemp, rm } from 'node:fs/promises'
import { join as joined } from 'node:path'
import { createPeer } from 'p2pd'
import { obey } from './lines.mjs'

let setting = {}
const present = []
/** Data directories of those that stopped, and may return. */
const stopped = []
let changes = 0

async function open(dataDir) {
  const listen = ['/ip4/127.0.0.1/tcp/0']
  const peer = await createPeer({ cluster: 'churn', ...setting, dataDir, listen, profile: 'local' })
  present.push({ dataDir, peer })
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
    await rm(guest.dataDir, { recursive: true, force: true })
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

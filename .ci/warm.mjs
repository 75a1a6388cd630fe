// Starts a small cluster, and keeps what V8 has compiled of a daemon that joined it. Of a founder alone, a
// joiner would still have to compile a fifth of what it needs.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { codeCacheOf, compileBundle } from '../dist/daemon/bundle.js'
import { ControlClient } from '../dist/daemon/client/client.js'

/** What a daemon does only a moment after its start counts too. */
const settleMs = 1500

const program = fileURLToPath(new URL('../dist/bin/p2pd.js', import.meta.url))
const bundle = fileURLToPath(new URL('../dist/daemon/daemon.bundle.cjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'p2pd-warm-'))
const place = (name) => join(folder, name)
const listen = '/ip4/127.0.0.1/tcp/0'

const founder = spawn(
  process.execPath,
  [
    program,
    '--data',
    place('founder'),
    '--listen',
    listen,
    '--profile',
    'local',
    '--log',
    'silent',
    '--json',
  ],
  { stdio: ['ignore', 'pipe', 'ignore'] },
)
// Whoever waits for this loses patience after a while.
process.once('SIGTERM', () => {
  founder.kill('SIGKILL')
  process.exit(1)
})
try {
  await Promise.race([once(founder.stdout, 'data'), ended(founder)])
  const { invite } = await ControlClient.open(place('founder')).invite()
  writeFileSync(place('invite'), `${invite}\n`, { mode: 0o600 })
  const { script, run } = compileBundle(bundle)
  await joined(run())
  await delay(settleMs)
  const cache = codeCacheOf(bundle)
  writeFileSync(`${cache}.new`, script.createCachedData())
  // The daemon has set the umask so that what it writes is for its user alone.
  chmodSync(`${cache}.new`, 0o644)
  renameSync(`${cache}.new`, cache)
} finally {
  founder.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}
process.exit()

async function ended(child) {
  const [code] = await once(child, 'exit')
  throw new Error(`the founder ended with ${code}`)
}

/** Resolves when the daemon in this process is ready. */
async function joined({ runDaemon }) {
  const flags = {
    data: place('joiner'),
    invite: place('invite'),
    listen: [listen],
    profile: 'local',
    log: 'silent',
    json: true,
  }
  await new Promise((resolve, reject) => {
    const ended = (code) => reject(new Error(`the daemon ended with ${code}`))
    const io = { env: {}, stdin: [], stdout: { write: resolve }, stderr: { write: () => {} }, exit: ended }
    runDaemon(flags, io).then(ended, reject)
  })
}

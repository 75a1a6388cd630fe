// Starts bare-libp2p.mjs from its bundle as the daemon is started from its own: with what V8 has compiled before,
// which the run that is told `warm` keeps.
import { writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { codeCacheOf, compileBundle, loadBundle } from '../../dist/daemon/bundle.js'
import '../../dist/lib/host/with-resolvers.js'

const settleMs = 1500
const [bundle, how, ...targets] = process.argv.slice(2)

if (how === 'warm') {
  const { script, run } = compileBundle(bundle)
  await run().start(targets)
  await delay(settleMs)
  writeFileSync(codeCacheOf(bundle), script.createCachedData())
  process.exit()
}
await loadBundle(bundle).start(targets)

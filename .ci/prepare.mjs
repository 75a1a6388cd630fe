// `npm ci`, `npm pack` and `npm install -g .` run this as the package's `prepare`: it builds.
// npm links a folder that is installed globally, without installing what the folder depends on;
// on a clone that has never seen `npm ci` the compiler is missing, so the dependencies come first.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('../', import.meta.url)
const installed = existsSync(new URL('node_modules/typescript/package.json', root))

// The outer npm hands its own settings down; with them the dependencies would be installed globally too.
const outer = /^npm_config_(global|location|prefix|global_prefix|local_prefix|dry_run)$/i
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !outer.test(name)))

const npm = process.env.npm_execpath
if (npm === undefined) {
  console.error('prepare: run this through npm (npm run prepare)')
  process.exit(1)
}
// `npm ci` comes back here through its own `prepare`, with the compiler in place.
const { status } = spawnSync(process.execPath, [npm, ...(installed ? ['run', 'build'] : ['ci'])], {
  cwd: fileURLToPath(root),
  env,
  stdio: 'inherit',
})
process.exit(status ?? 1)

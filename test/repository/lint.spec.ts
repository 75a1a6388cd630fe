import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from './imports.ts'

interface Diagnostic {
  readonly category: string
  readonly message: string
  readonly location: { readonly path: string }
}

/** Lints `files` (path to source) by the repository's own rules, in a folder of their own. */
function lint(files: ReadonlyMap<string, string>): ReadonlyMap<string, readonly Diagnostic[]> {
  const folder = mkdtempSync(join(tmpdir(), 'p2pd-lint-'))
  try {
    const config = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'))
    writeFileSync(
      join(folder, 'biome.json'),
      JSON.stringify({ ...config, root: true, vcs: { enabled: false } }),
    )
    cpSync(join(root, '.ci'), join(folder, '.ci'), { recursive: true })
    for (const [path, source] of files) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), source)
    }
    const biome = join(root, 'node_modules/@biomejs/biome/bin/biome')
    const options = ['--reporter=json', '--max-diagnostics=none', '--diagnostic-level=error']
    const { stdout, stderr } = spawnSync(process.execPath, [biome, 'lint', ...options, '.'], {
      cwd: folder,
      encoding: 'utf8',
    })
    assert.match(stdout, /^\{/, stderr)
    const { diagnostics } = JSON.parse(stdout) as { readonly diagnostics: readonly Diagnostic[] }
    return new Map(
      [...files.keys()].map((path) => [path, diagnostics.filter((d) => d.location.path === path)]),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const pureFolders = [
  ...['lib/wire', 'lib/protocols', 'plugins/mutex/core', 'plugins/mutex/checker'],
  ...['testnet/sim', 'testnet/checkers', 'testnet/spacetime'],
]

const impurities = {
  'wall-clock': 'export const x = Date.now()',
  'constructed-clock': 'export const x = new Date()',
  'monotonic-clock': 'export const x = performance.now()',
  timer: 'setTimeout(() => {}, 1)',
  'global-randomness': 'export const x = Math.random()',
  'bound-randomness': 'const { random } = Math\nexport const x = random()',
  'file-system': "import { readFile } from 'node:fs'\nexport const x = readFile",
  'peer-to-peer-stack': "import { createLibp2p } from 'libp2p'\nexport const x = createLibp2p",
  'stack-when-reached': "export const x = () => import('@libp2p/tcp')",
  host: "import { x } from '../host/x.ts'\nexport const y = x",
}

const skipping = [
  ['lib/protocols', '../index.ts'],
  ['lib', '@libp2p/interface'],
  ['lib', '../daemon/config.ts'],
  ['lib/host', '../../daemon/config.ts'],
  ['lib/host', '../peer.ts'],
  ['plugins/mutex', 'libp2p'],
  ['plugins/mutex', '../../daemon/config.ts'],
  ['plugins/mutex/core', '../api.ts'],
  ['plugins/mutex/core', '../../../lib/peer.ts'],
  ['plugins/mutex/core', '../../../lib/host/links.ts'],
  ['plugins/mutex/core/lock', '../../control/lock-routes.ts'],
  ['plugins/mutex/checker', '../core/messages.ts'],
  ['plugins/mutex/checker', '../../../lib/wire/errors.ts'],
  ['daemon', '@libp2p/tcp'],
  ['daemon', '../bin/p2pd.ts'],
  ['daemon/client', 'zod'],
  ['daemon/client', '../../lib/peer.ts'],
  ['testnet/cluster', '../../lib/index.ts'],
  ['testnet/cluster', '../../daemon/config.ts'],
  ['testnet/cluster', '../sim/world.ts'],
  ['testnet/checkers', '../../lib/wire/errors.ts'],
  ['testnet/spacetime', '../checkers/history.ts'],
  ['testnet/sim', '../cluster/x.ts'],
  ['testnet/sim/mutex', '../../../plugins/mutex/service.ts'],
  ['bin', 'fastify'],
  ['bin/commands', '../../lib/peer.ts'],
  ['bin/commands', '../../lib/protocols/core.ts'],
  ['bench', '../lib/host/links.ts'],
] as const

const permitted = [
  ['lib/wire', './errors.ts'],
  ['lib/wire', '@bufbuild/protobuf/codegenv2'],
  ['lib/protocols/membership', '../../wire/errors.ts'],
  ['lib/host', 'libp2p'],
  ['lib/host', '../protocols/core.ts'],
  ['lib', './host/links.ts'],
  ['plugins/mutex', './core/mutex.ts'],
  ['plugins/mutex', '../../lib/plugin.ts'],
  ['plugins/mutex/core', '../../../lib/protocols/core.ts'],
  ['plugins/mutex/core/lock', '../messages.ts'],
  ['plugins/mutex/core', '@bufbuild/protobuf/wire'],
  ['plugins/mutex/checker', './history.ts'],
  ['testnet/sim/mutex', '../../../plugins/mutex/core/mutex.ts'],
  ['testnet/sim/mutex', '../../../plugins/mutex/checker/history.ts'],
  ['daemon', '../plugins/mutex/index.ts'],
  ['daemon', '../lib/index.ts'],
  ['daemon', '../lib/host/key-file.ts'],
  ['daemon', 'fastify'],
  ['daemon/client', '../../lib/wire/errors.ts'],
  ['testnet/sim', '../../lib/protocols/core.ts'],
  ['testnet/cluster', '../../daemon/client/client.ts'],
  ['testnet/cluster', '../spacetime/diagram.ts'],
  ['bin/commands', '../../daemon/client/client.ts'],
  ['bin/commands', 'commander'],
] as const

const importing = (specifier: string) => `import { x } from '${specifier}'\nexport const y = x\n`

describe('the linter', () => {
  it('keeps pure code pure', () => {
    const offenders = pureFolders.flatMap((folder) =>
      Object.entries(impurities).map(([name, source]) => [`${folder}/${name}.ts`, `${source}\n`] as const),
    )
    const innocent = 'export const half = (now: number): number => Math.floor(now / 2)\n'
    const innocents = pureFolders.map((folder) => [`${folder}/innocent.ts`, innocent] as const)
    const found = lint(new Map([...offenders, ...innocents]))
    for (const [path] of offenders) assert.equal(found.get(path)?.length, 1, path)
    for (const [path] of innocents) assert.deepEqual(found.get(path), [], path)
  })

  it('refuses an import that goes up or skips a layer, and lets the others be', () => {
    const name = (folder: string, specifier: string) => `${folder}/${specifier.replaceAll(/\W+/g, '-')}.ts`
    const files = [...skipping, ...permitted].map(
      ([folder, to]) => [name(folder, to), importing(to)] as const,
    )
    const found = lint(new Map(files))
    const refused = ([folder, to]: readonly [string, string]) =>
      found.get(name(folder, to))?.some(({ category }) => category === 'lint/style/noRestrictedImports')
    for (const pair of skipping) assert.equal(refused(pair), true, pair.join(' imports '))
    for (const pair of permitted) assert.equal(refused(pair), false, pair.join(' imports '))
  })

  it('refuses an import cycle', () => {
    const found = lint(
      new Map([
        ['lib/host/a.ts', "import { b } from './b.ts'\nexport const a = (): number => b()\n"],
        ['lib/host/b.ts', "import { a } from './a.ts'\nexport const b = (): number => a()\n"],
      ]),
    )
    assert.deepEqual(
      found.get('lib/host/a.ts')?.map(({ category }) => category),
      ['lint/suspicious/noImportCycles'],
    )
  })
})

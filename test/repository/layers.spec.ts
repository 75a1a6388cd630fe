import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  allImports,
  findCycle,
  type Import,
  importsOf,
  loadedBy,
  packageOf,
  root,
  sources,
} from './imports.ts'

/** Longest prefix wins; a layer may import itself and what stands beside it. */
const layers: Readonly<Record<string, readonly string[]>> = {
  'lib/wire/': [],
  'lib/protocols/': ['lib/wire/'],
  'lib/host/': ['lib/protocols/', 'lib/wire/'],
  'lib/': ['lib/host/', 'lib/protocols/', 'lib/wire/'],
  'plugins/mutex/core/': ['lib/protocols/', 'lib/wire/'],
  'plugins/mutex/checker/': [],
  // What holds a lock for a command; client and daemon end it by the same rules.
  'plugins/mutex/control/': ['plugins/', 'plugins/mutex/core/', 'lib/host/', 'lib/protocols/', 'lib/wire/'],
  'plugins/': [
    'plugins/mutex/control/',
    'plugins/mutex/core/',
    'plugins/mutex/checker/',
    'lib/',
    'lib/host/',
    'lib/protocols/',
    'lib/wire/',
  ],
  'daemon/client/': ['daemon/', 'plugins/mutex/control/', 'lib/wire/errors.ts'],
  'daemon/': ['daemon/client/', 'plugins/', 'lib/', 'lib/host/', 'lib/protocols/', 'lib/wire/'],
  'testnet/checkers/': [],
  'testnet/spacetime/': [],
  'testnet/sim/': [
    'testnet/checkers/',
    'plugins/mutex/checker/',
    'plugins/mutex/core/',
    'lib/protocols/',
    'lib/wire/',
  ],
  'testnet/cluster/': [
    'testnet/checkers/',
    'testnet/spacetime/',
    'plugins/mutex/checker/',
    'daemon/client/',
    'lib/wire/errors.ts',
  ],
  'testnet/': [
    'testnet/cluster/',
    'testnet/checkers/',
    'testnet/sim/',
    'daemon/client/',
    'lib/wire/errors.ts',
  ],
  'bin/': [
    'daemon/',
    'daemon/client/',
    'plugins/mutex/control/',
    'testnet/',
    'testnet/cluster/',
    'testnet/sim/',
    'testnet/checkers/',
    'testnet/spacetime/',
    'lib/wire/errors.ts',
  ],
  // The simulator's command line, for developers: not shipped, so it may know the mutants.
  'bin/sim.ts': ['testnet/sim/', 'test/mutants/', 'lib/wire/errors.ts'],
  'test/mutants/': ['testnet/sim/', 'plugins/mutex/core/', 'lib/protocols/', 'lib/wire/'],
  'bench/': [
    'testnet/',
    'testnet/cluster/',
    'testnet/checkers/',
    'testnet/sim/',
    'daemon/client/',
    'lib/wire/errors.ts',
  ],
  // Programs on their own, like an app's: the library by its public entry, and the rival's stack. They
  // lose frames where the host sends them.
  'bench/rivals/': [
    'dist/daemon/bundle.js',
    'dist/lib/host/outbound-link.js',
    'dist/lib/host/with-resolvers.js',
  ],
}

const stack = /^(libp2p$|@libp2p\/|@chainsafe\/|@multiformats\/)/
const tooSlowForClients =
  /^(libp2p$|@libp2p\/|@chainsafe\/|zod$|fastify$|classic-level$|datastore-level$|prom-client$)/

function layerOf(file: string): string | undefined {
  return Object.keys(layers)
    .filter((prefix) => file.startsWith(prefix))
    .sort((a, b) => b.length - a.length)[0]
}

function crossings(imports: readonly Import[]): readonly string[] {
  return imports.flatMap((found) => {
    const layer = layerOf(found.from)
    if (!found.relative || layer === undefined) return []
    const target = layerOf(found.to)
    const allowed = target === layer || layers[layer]?.some((to) => to === target || to === found.to)
    return allowed ? [] : [`${found.from} imports ${found.to}`]
  })
}

const imports = allImports()

describe('the import graph', () => {
  it('is read from the sources, not guessed', () => {
    const text = [
      "import type { A } from './a.ts'",
      "import { b, // '../not/this.ts'",
      "} from '../host/b.ts'",
      "import 'pino'",
      "export { c } from '@libp2p/tcp/c'",
      "/* import x from './comment.ts' */",
      `const d = await ${'import'}('./d.ts')`,
    ].join('\n')
    assert.deepEqual(
      importsOf('lib/protocols/x.ts', text).map(({ to, typeOnly, dynamic }) => [to, typeOnly, dynamic]),
      [
        ['lib/protocols/a.ts', true, false],
        ['lib/host/b.ts', false, false],
        ['@libp2p/tcp/c', false, false],
        ['pino', false, false],
        ['lib/protocols/d.ts', false, true],
      ],
    )
    assert.deepEqual(crossings(importsOf('lib/protocols/x.ts', text)), [
      'lib/protocols/x.ts imports lib/host/b.ts',
    ])
    assert.ok(sources().length > 30, 'the sources are found')
  })

  it('resolves every relative import to a file of the repository', () => {
    const missing = imports.filter((found) => found.relative && !existsSync(join(root, found.to)))
    assert.deepEqual(
      missing.map(({ from, to }) => `${from} imports ${to}`),
      [],
    )
  })

  it('goes one way through the layers and skips none', () => {
    assert.deepEqual(crossings(imports), [])
  })

  it('has no cycles, not even between types', () => {
    const edge = (from: string, to: string): Import => ({
      from,
      to,
      relative: true,
      typeOnly: false,
      dynamic: false,
    })
    assert.deepEqual(findCycle([edge('a', 'b'), edge('b', 'c'), edge('c', 'b')]), ['b', 'c', 'b'])
    assert.equal(findCycle(imports), undefined)
  })

  it('touches the peer-to-peer stack in lib/host/ alone', () => {
    const apart = ['lib/host/', 'bench/rivals/']
    const shipped = imports.filter(({ from }) => {
      return layerOf(from) !== undefined && !apart.some((folder) => from.startsWith(folder))
    })
    const offenders = shipped.filter(({ to, relative }) => !relative && stack.test(packageOf(to)))
    assert.deepEqual(
      offenders.map(({ from, to }) => `${from} imports ${to}`),
      [],
    )
  })

  it('keeps what a client command loads small', () => {
    // It makes an identity of its own.
    const heavyOnPurpose = new Set(['bin/commands/init.ts'])
    const all = ['bin/p2pd.ts', 'bin/cli.ts', ...sources(['bin/commands', 'daemon/client'])]
    const clients = all.filter((file) => !heavyOnPurpose.has(file))
    const heavy = clients.flatMap((entry) =>
      [...loadedBy(entry).packages]
        .filter((name) => tooSlowForClients.test(name))
        .map((name) => `${entry} loads ${name}`),
    )
    assert.deepEqual(heavy, [])
    assert.ok(loadedBy('daemon/daemon.ts').packages.has('fastify'), 'what is loaded is found at all')
  })

  it('gives plugins of others what they are written against without the peer', () => {
    assert.deepEqual([...loadedBy('plugins/index.ts').packages], [])
  })
})

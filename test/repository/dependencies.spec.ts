import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allImports, packageOf, root } from './imports.ts'

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

interface Locked {
  readonly name?: string
  readonly version?: string
  readonly resolved?: string
  readonly integrity?: string
}

const read = (file: string) => readFileSync(join(root, file), 'utf8')
const manifest: Manifest = JSON.parse(read('package.json'))
const locked: Readonly<Record<string, Locked>> = JSON.parse(read('package-lock.json')).packages

/** The oldest version without a known hole; an alias is judged by the package behind it. */
const floors: Readonly<Record<string, { readonly floor: string; readonly why: string }>> = {
  '@libp2p/gossipsub': { floor: '15.0.23', why: 'CVE-2026-46679: one peer exhausts the heap' },
}

function compare(left: string, right: string): number {
  const parts = (version: string) => version.split(/[.+-]/).slice(0, 3).map(Number)
  const [a, b] = [parts(left), parts(right)]
  return [0, 1, 2].map((i) => (a[i] ?? 0) - (b[i] ?? 0)).find((difference) => difference !== 0) ?? 0
}

const packageName = (path: string, { name }: Locked) => name ?? path.replace(/^.*node_modules\//, '')

describe('the dependencies', () => {
  it('are at or above the version that mends each known hole', () => {
    assert.ok(compare('15.0.22', '15.0.23') < 0 && compare('17.1.1', '15.0.23') > 0)
    for (const [name, { floor, why }] of Object.entries(floors)) {
      const copies = Object.entries(locked).filter(([path, entry]) => packageName(path, entry) === name)
      assert.ok(copies.length > 0, `${name} is locked`)
      for (const [path, { version }] of copies) {
        assert.ok(compare(version ?? '0.0.0', floor) >= 0, `${path} ${version}: below ${floor}, ${why}`)
      }
    }
  })

  it('alias the packages whose own last versions are stale', () => {
    const alias = (name: string) => packageName('', locked[`node_modules/${name}`] ?? {})
    assert.equal(alias('@chainsafe/libp2p-gossipsub'), '@libp2p/gossipsub')
    assert.equal(alias('@chainsafe/libp2p-noise'), '@libp2p/noise')
    const originals = Object.values(locked).filter(({ name }) => name?.startsWith('@chainsafe/libp2p-'))
    assert.deepEqual(originals, [])
  })

  it('are each explained by one line in docs/ARCHITECTURE.md, and nothing else is', () => {
    const section = read('docs/ARCHITECTURE.md').split('## Dependencies')[1]?.split('\n## ')[0] ?? ''
    const explained = [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name)
    assert.deepEqual(explained.toSorted(), Object.keys(manifest.dependencies).toSorted())
  })

  it('are declared wherever shipped code imports them', () => {
    const shipped = allImports(['bin', 'daemon', 'lib', 'plugins', 'testnet'])
    const undeclared = shipped
      .filter(({ to, relative }) => !relative && !to.startsWith('node:'))
      .filter(({ to }) => manifest.dependencies[packageOf(to)] === undefined)
    assert.deepEqual(
      undeclared.map(({ from, to }) => `${from} imports ${to}`),
      [],
    )
  })

  it('are locked with a hash and name no registry, so that the configured one is asked', () => {
    const installed = Object.entries(locked).filter(([path]) => path !== '')
    assert.ok(installed.length > 100)
    const loose = installed.filter(([, entry]) => entry.integrity === undefined)
    assert.deepEqual(
      loose.map(([path]) => path),
      [],
    )
    const placed = installed.filter(([, { resolved }]) => resolved !== undefined)
    assert.deepEqual(
      placed.map(([path]) => path),
      [],
    )
  })

  it('and the scripts that npm runs by itself fetch nothing', () => {
    const automatic = ['preinstall', 'install', 'postinstall', 'prepublish', 'preprepare', 'postprepare']
    const present = automatic.filter((name) => manifest.scripts[name] !== undefined)
    assert.deepEqual(present, [])
    assert.equal(manifest.scripts.prepare, 'node .ci/prepare.mjs')
    assert.doesNotMatch(read('.ci/prepare.mjs'), /https?:|fetch\(|curl|wget|\bnpx\b/)
  })
})

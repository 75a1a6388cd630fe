import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { commandModules } from '../../bin/command-modules.ts'

/** The packages that `file` and all that it imports ask for; `import()` is followed from `entries` only. */
function packagesOf(entries: readonly URL[]): ReadonlySet<string> {
  const packages = new Set<string>()
  const seen = new Set<string>()
  const waiting = [...entries]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file.href)) continue
    seen.add(file.href)
    const source = readFileSync(fileURLToPath(file), 'utf8')
    for (const [, name = ''] of source.matchAll(
      /^(?:import|export)\s(?:[\w*{}\s,$]+\sfrom\s)?['"]([^'"]+)['"]/gm,
    )) {
      if (name.startsWith('.')) waiting.push(new URL(name, file))
      else if (!name.startsWith('node:')) packages.add(name)
    }
  }
  return packages
}

const bin = new URL('../../bin/', import.meta.url)
const loadsDaemon = new Set(['p2pd init'])

describe('the start of a command', () => {
  for (const [verb, load] of Object.entries(commandModules)) {
    const module = /import\(['"]([^'"]+)['"]\)/.exec(load.toString())?.[1] ?? ''
    const entries = [new URL('p2pd.js', bin), new URL('cli.js', bin), new URL(module, bin)]
    if (loadsDaemon.has(verb)) continue
    it(`'${verb}' loads no package but the argument parser`, () => {
      assert.deepEqual([...packagesOf(entries)], ['commander'])
    })
  }

  it('stays as small where a plugin of the daemon has the verb', () => {
    const entries = ['p2pd.js', 'cli.js', 'plugin-verb.js'].map((file) => new URL(file, bin))
    assert.deepEqual([...packagesOf(entries)], ['commander'])
  })

  it('would be seen to load more', () => {
    assert.ok(packagesOf([new URL('../daemon/config.js', bin)]).has('zod'))
  })
})

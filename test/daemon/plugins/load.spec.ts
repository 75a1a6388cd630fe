import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { builtIn } from '../../../daemon/plugins/built-in.ts'
import { loadPlugins } from '../../../daemon/plugins/load.ts'
import { P2pdError } from '../../../lib/wire/errors.ts'
import { removeTempDirs, tempDir } from '../../support/temp-dir.ts'

const source = (name: string) =>
  `export const plugin = { name: '${name}', needs: [], run: () => ({ api: {} }) }\n`

describe('the modules of plugins', () => {
  let folder: string

  beforeEach(async () => {
    folder = await tempDir()
  })
  afterEach(removeTempDirs)

  const write = async (path: string, text: string): Promise<string> => {
    const file = join(folder, path)
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(file, text)
    return file
  }
  const load = async (module: string, from = folder): Promise<readonly string[]> => {
    const { plugins } = await loadPlugins([{ module, folder: from }], { expect: undefined })
    return plugins.map(({ name }) => name).filter((name) => !Object.hasOwn(builtIn, name))
  }
  const refused = async (module: string, code: string, says: RegExp): Promise<void> => {
    await assert.rejects(load(module), (error) => {
      assert.ok(error instanceof P2pdError, String(error))
      assert.equal(error.code, code, error.message)
      assert.match(error.message, says)
      assert.ok(error.hint)
      return true
    })
  }

  it('are files: from the folder, absolute, a URL, or a link', async () => {
    const file = await write('plugins/hello.mjs', source('hello'))
    await symlink(file, join(folder, 'link.mjs'))
    const named = ['./plugins/hello.mjs', 'plugins/hello.mjs', file, pathToFileURL(file).href, './link.mjs']
    for (const module of named) assert.deepEqual(await load(module), ['hello'], module)
    assert.deepEqual(await load('../link.mjs', join(folder, 'plugins')), ['hello'])
  })

  const packages: readonly { readonly manifest: object; readonly entry: string; readonly asked: string }[] = [
    { manifest: { main: 'lib.js' }, entry: 'lib.js', asked: 'p' },
    { manifest: {}, entry: 'index.js', asked: 'p' },
    { manifest: { exports: './e.js' }, entry: 'e.js', asked: 'p' },
    { manifest: { exports: { '.': { types: './t.d.ts', import: './e.js' } } }, entry: 'e.js', asked: 'p' },
    { manifest: { exports: { require: './r.cjs', default: './e.js' } }, entry: 'e.js', asked: 'p' },
    { manifest: { exports: { './plugin': './deep/e.js' } }, entry: 'deep/e.js', asked: 'p/plugin' },
    { manifest: {}, entry: 'deep/e.js', asked: 'p/deep/e.js' },
  ]
  for (const { manifest, entry, asked } of packages) {
    it(`are packages: ${asked} with ${JSON.stringify(manifest)}`, async () => {
      await write('node_modules/p/package.json', JSON.stringify({ name: 'p', type: 'module', ...manifest }))
      await write(`node_modules/p/${entry}`, source('packed'))
      assert.deepEqual(await load(asked), ['packed'])
      assert.deepEqual(await load(asked, join(folder, 'below', 'it')), ['packed'])
    })
  }

  it('are packages with a scope', async () => {
    await write('node_modules/@s/p/package.json', '{"type":"module"}')
    await write('node_modules/@s/p/index.js', source('scoped'))
    assert.deepEqual(await load('@s/p'), ['scoped'])
  })

  it('are refused when they are not there', async () => {
    await write('node_modules/p/package.json', '{"exports":{"./other":"./e.js"}}')
    for (const module of ['./none.mjs', '/none/at/all.mjs', 'none', 'p', '.', '..', 'file:%', '']) {
      await refused(module, 'ERR_PLUGIN_NOT_FOUND', /there is no plugin/)
    }
  })

  it('are refused when they do not load, or export no plugin', async () => {
    await write('torn.mjs', 'export const plugin = {')
    await write('throws.mjs', "throw new Error('no luck')")
    await write('needs.mjs', "import 'a-package-that-is-not-there'")
    await write('other.mjs', 'export default {}')
    await write('shape.mjs', "export const plugin = { name: 'x' }")
    await refused('./torn.mjs', 'ERR_BAD_PLUGIN', /cannot be loaded/)
    await refused('./throws.mjs', 'ERR_BAD_PLUGIN', /cannot be loaded: no luck$/)
    await refused('./needs.mjs', 'ERR_BAD_PLUGIN', /cannot be loaded: .*a-package-that-is-not-there/)
    await refused('./other.mjs', 'ERR_BAD_PLUGIN', /nothing that is called 'plugin'/)
    await refused('./shape.mjs', 'ERR_BAD_PLUGIN', /plugin "\.\/shape\.mjs": plugin\.needs/)
  })

  it('are not loaded twice under one name', async () => {
    const file = await write('hello.mjs', source('hello'))
    const twice = [file, file].map((module) => ({ module, folder }))
    await assert.rejects(loadPlugins(twice, { expect: undefined }), { code: 'ERR_BAD_PLUGIN' })
  })

  it('may name what is built in, which changes nothing', async () => {
    const names = Object.keys(builtIn).map((module) => ({ module, folder }))
    const { plugins } = await loadPlugins(names, { expect: undefined })
    assert.deepEqual(
      plugins.map(({ name }) => name),
      Object.keys(builtIn),
    )
  })
})

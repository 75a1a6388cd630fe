import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeCacheOf, compileBundle, loadBundle } from '../../daemon/bundle.ts'

describe('a bundle', () => {
  let folder = ''
  let bundle = ''
  const source = `
    const { answer } = require('./answer.cjs')
    const { more } = require('./more' + '.mjs')
    exports.runDaemon = async () => answer() + more + __dirname.length
  `

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'p2pd-bundle-'))
    bundle = join(folder, 'daemon.bundle.cjs')
    writeFileSync(bundle, source)
    writeFileSync(join(folder, 'answer.cjs'), 'exports.answer = () => 40')
    writeFileSync(join(folder, 'more.mjs'), 'export const more = 2')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const run = async (module: object): Promise<unknown> => await Reflect.get(module, 'runDaemon')()

  it('runs as a module of Node, finding what lies beside it, without compiled code', async () => {
    assert.equal(await run(loadBundle(bundle)), 42 + folder.length)
  })

  it('runs alike with the code that was compiled of it', async () => {
    const { script, run: evaluate } = compileBundle(bundle)
    await run(evaluate())
    const compiled = script.createCachedData()
    assert.equal(compileBundle(bundle, compiled).script.cachedDataRejected, false)
    writeFileSync(codeCacheOf(bundle), compiled)
    assert.equal(await run(loadBundle(bundle)), 42 + folder.length)
  })

  it('runs alike beside compiled code that is none', async () => {
    writeFileSync(codeCacheOf(bundle), 'no code of this V8')
    assert.equal(await run(loadBundle(bundle)), 42 + folder.length)
  })
})

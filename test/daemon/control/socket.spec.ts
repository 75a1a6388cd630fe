import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { removeTempDirs, tempDir } from '../../support/temp-dir.ts'
import { openControl } from '../support/control.ts'
import { call } from '../support/raw-http.ts'

describe('the control socket', () => {
  afterEach(removeTempDirs)

  it('is for this user alone and goes with the daemon', async () => {
    const { plane, place, dataDir } = await openControl()
    assert.equal(place.socketPath, join(dataDir, 'control.sock'))
    assert.equal((await stat(place.socketPath)).mode & 0o777, 0o600)
    assert.equal((await stat(dataDir)).mode & 0o777, 0o700)
    await plane.close()
    assert.deepEqual(await readdir(dataDir), [])
  })

  it('moves to a short private folder where the path would be cut, and is noted', async () => {
    const parent = await tempDir()
    const dataDir = join(parent, 'x'.repeat(90))
    const runtime = await tempDir()
    const { plane, place } = await openControl({ dataDir, env: { XDG_RUNTIME_DIR: runtime } })
    assert.ok(place.socketPath.startsWith(join(runtime, 'p2pd-')))
    assert.equal((await readFile(join(dataDir, 'control.path'), 'utf8')).trim(), place.socketPath)
    assert.equal((await stat(join(place.socketPath, '..'))).mode & 0o777, 0o700)
    assert.equal((await call(place, '/healthz')).status, 200)
    await plane.close()
    assert.deepEqual(await readdir(dataDir), [])
    assert.deepEqual(await readdir(runtime), [])
  })

  it('replaces the one of a daemon that died, inside or outside', async () => {
    const dataDir = join(await tempDir(), 'x'.repeat(90))
    const runtime = await tempDir()
    const stale = join(runtime, 'p2pd-abcdef', 'control.sock')
    await mkdir(dataDir, { mode: 0o700 })
    await mkdir(join(stale, '..'))
    await leaveStaleSocket(stale)
    await writeFile(join(dataDir, 'control.path'), `${stale}\n`)
    const { plane, place } = await openControl({ dataDir, env: { XDG_RUNTIME_DIR: runtime } })
    assert.equal((await call(place, '/healthz')).status, 200)
    assert.equal(existsSync(join(stale, '..')), false)
    await plane.close()

    const inside = await tempDir()
    await leaveStaleSocket(join(inside, 'control.sock'))
    const again = await openControl({ dataDir: inside })
    assert.equal((await call(again.place, '/healthz')).status, 200)
    await again.plane.close()
  })

  it('never replaces one that answers', async () => {
    const dataDir = await tempDir()
    const first = await openControl({ dataDir })
    await assert.rejects(openControl({ dataDir }), { code: 'ERR_ALREADY_RUNNING' })
    assert.equal((await call(first.place, '/healthz')).status, 200)
    await first.plane.close()
  })

  it('never removes what is not a socket, whatever a note says', async () => {
    const dataDir = await tempDir()
    const precious = join(await tempDir(), 'control.sock')
    await writeFile(precious, 'precious')
    await writeFile(join(dataDir, 'control.path'), precious)
    const { plane } = await openControl({ dataDir })
    await plane.close()
    assert.equal(await readFile(precious, 'utf8'), 'precious')
  })
})

/** A socket file that nobody listens at, as SIGKILL leaves it. */
async function leaveStaleSocket(path: string): Promise<void> {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' })
  await new Promise((resolve) => child.once('exit', resolve))
  assert.ok((await stat(path)).isSocket())
}

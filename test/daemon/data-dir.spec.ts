import assert from 'node:assert/strict'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dataDirAt, openDataDir } from '../../daemon/data-dir.ts'
import { inLockedDir, lockDataDir } from '../../daemon/locked-dir.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'

async function mode(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777
}

describe('the data directory', () => {
  afterEach(removeTempDirs)

  it('is made for this user alone', async () => {
    const dir = dataDirAt(join(await tempDir(), 'deep', 'data'))
    await openDataDir(dir)
    assert.equal(await mode(dir.path), 0o700)
  })

  it('is closed when it was open and holds nothing foreign', async () => {
    const dir = dataDirAt(await tempDir())
    await chmod(dir.path, 0o755)
    await writeFile(dir.config, '')
    await openDataDir(dir)
    assert.equal(await mode(dir.path), 0o700)
  })

  it('is refused, and left as it is, when it is open and holds what is not ours', async () => {
    const dir = dataDirAt(await tempDir())
    await chmod(dir.path, 0o755)
    await writeFile(join(dir.path, 'holiday.jpg'), '')
    await assert.rejects(openDataDir(dir), { code: 'ERR_DATA_DIR', message: /holiday\.jpg/ })
    assert.equal(await mode(dir.path), 0o755)
  })

  it('cannot be a file', async () => {
    const dir = dataDirAt(join(await tempDir(), 'file'))
    await writeFile(dir.path, '')
    await assert.rejects(lockDataDir(dir), { code: 'ERR_DATA_DIR' })
  })

  it('lets one in at a time and says who is in', async () => {
    const dir = dataDirAt(await tempDir())
    const first = await lockDataDir(dir)
    await assert.rejects(lockDataDir(dir), {
      code: 'ERR_ALREADY_RUNNING',
      message: new RegExp(`pid ${process.pid}`),
    })
    await first.release()
    await (await lockDataDir(dir)).release()
  })

  it('is not blocked by the pid file of a process that died, nor by one whose pid runs again', async () => {
    const dir = dataDirAt(await tempDir())
    for (const pid of ['999999999', String(process.ppid), 'nonsense']) {
      await writeFile(dir.pid, `${pid}\n`)
      const locked = await lockDataDir(dir)
      assert.equal(await readFile(dir.pid, 'utf8'), `${process.pid}\n`)
      await locked.release()
    }
  })

  it('is as it was when what was meant to happen in it fails', async () => {
    const parent = await tempDir()
    const fresh = dataDirAt(join(parent, 'fresh'))
    const fail = (dir: typeof fresh) =>
      inLockedDir(dir, async () => {
        await writeFile(dir.secret, 'x')
        await mkdir(dir.store)
        throw new Error('meant')
      })
    await assert.rejects(fail(fresh), { message: 'meant' })
    assert.deepEqual(await readdir(parent), [])

    const used = dataDirAt(await tempDir())
    await writeFile(used.identity, 'mine')
    await assert.rejects(fail(used), { message: 'meant' })
    assert.deepEqual(await readdir(used.path), ['identity.key'])
  })
})

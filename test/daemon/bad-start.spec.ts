import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, lstat, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { type DaemonFlags, parseConfigFile } from '../../daemon/config.ts'
import { runDaemon } from '../../daemon/daemon.ts'
import { exitCodeOf } from '../../daemon/exit-code.ts'
import { initDataDir } from '../../daemon/init.ts'
import { encodeInvite } from '../../daemon/invite.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { eventually } from '../support/eventually.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'
import { ids } from './support/fake-peer.ts'

const listen = ['/ip4/127.0.0.1/tcp/0']

interface Run {
  readonly ended: Promise<number>
  stderr(): string
}

function run(flags: DaemonFlags, stdin = ''): Run {
  let stderr = ''
  const sink = {
    write: (text: string) => {
      stderr += text
    },
  }
  async function* input() {
    yield stdin
  }
  const io = { env: {}, stdin: input(), stdout: { write: () => {} }, stderr: sink, exit: () => {} }
  return { ended: runDaemon({ listen, profile: 'local', ...flags }, io), stderr: () => stderr }
}

/** Every path below, with its contents, but for what LevelDB itself renews whenever it is opened. */
async function contents(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of await readdir(folder, { recursive: true }).catch(() => [])) {
    if (/^(lock|store)\/(LOG|LOCK|CURRENT|MANIFEST|\d+\.log)/.test(name)) continue
    const path = join(folder, name)
    const { mode } = await lstat(path)
    const text = (await lstat(path)).isFile() ? await readFile(path, 'base64') : ''
    found[name] = `${mode.toString(8)} ${text}`
  }
  return found
}

describe('a start that cannot be', () => {
  let umask: number

  before(() => {
    umask = process.umask()
  })

  afterEach(async () => {
    process.umask(umask)
    await removeTempDirs()
  })

  /** Fails with this code, in one line, and leaves the directory as it was. */
  async function refused(
    data: string,
    flags: DaemonFlags,
    code: string,
    exit = 1,
    stdin = '',
  ): Promise<P2pdError> {
    const before = await contents(data)
    const { ended, stderr } = run({ ...flags, data }, stdin)
    const error = await ended.then(
      () => assert.fail('it started'),
      (reason: unknown) => reason,
    )
    assert.ok(error instanceof P2pdError, String(error))
    assert.equal(error.code, code, error.message)
    assert.equal(exitCodeOf(error.code), exit)
    assert.ok(error.hint, 'there is no hint')
    assert.doesNotMatch(error.message + error.hint + stderr(), /\n\s+at |node:internal/)
    assert.deepEqual(await contents(data), before)
    return error
  }

  /** A directory in which a daemon has founded the cluster `shop`. */
  async function founded(): Promise<string> {
    const data = await tempDir()
    const { ended } = run({ data, cluster: 'shop', log: 'silent' })
    await eventually('it is ready', async () => (await readdir(data)).includes('peer.json'))
    process.emit('SIGTERM', 'SIGTERM')
    assert.equal(await ended, 0)
    return data
  }

  async function fresh(): Promise<string> {
    return join(await tempDir(), 'data')
  }

  it('joins nothing without the secret, and founds nothing either', async () => {
    const data = await fresh()
    await refused(data, { join: ['/ip4/127.0.0.1/tcp/1'] }, 'ERR_NO_SECRET')
    await assert.rejects(readdir(data), { code: 'ENOENT' })
  })

  it('takes no torn, strange, foreign or missing invite', async () => {
    const line = encodeInvite({
      cluster: 'elsewhere',
      secret: new Uint8Array(32).fill(9),
      addresses: ['/ip4/127.0.0.1/tcp/1'],
      inviter: ids[0],
    })
    const empty = await fresh()
    await refused(empty, { invite: '-' }, 'ERR_INVITE_TORN', 1, line.slice(0, -5))
    await refused(empty, { invite: '-' }, 'ERR_INVITE_TORN', 1, 'x'.repeat(70_000))
    await refused(empty, { invite: '-' }, 'ERR_INVITE_VERSION', 1, line.replace('-1:', '-2:'))
    await refused(empty, { invite: join(empty, 'none') }, 'ERR_INVITE_FILE', 2)
    await refused(empty, { invite: '-', cluster: 'shop' }, 'ERR_OTHER_CLUSTER', 1, line)
    const unusable = encodeInvite({
      cluster: 'a b',
      secret: new Uint8Array(32),
      addresses: [],
      inviter: ids[0],
    })
    await refused(empty, { invite: '-' }, 'ERR_INVITE_TORN', 1, unusable)
    const unaddressed = encodeInvite({
      cluster: 'shop',
      secret: new Uint8Array(32),
      addresses: [],
      inviter: '',
    })
    await refused(empty, { invite: '-' }, 'ERR_NO_CONTACTS', 2, unaddressed)
    await assert.rejects(readdir(empty), { code: 'ENOENT' })

    const data = await founded()
    await refused(data, { invite: '-' }, 'ERR_OTHER_CLUSTER', 1, line)
    await refused(data, { cluster: 'elsewhere' }, 'ERR_OTHER_CLUSTER')
  })

  it('uses no key that others can read, or that is damaged', async () => {
    const data = await founded()
    for (const name of ['identity.key', 'cluster.secret']) {
      const path = join(data, name)
      await chmod(path, 0o640)
      await refused(data, {}, 'ERR_KEY_PERMISSIONS')
      await chmod(path, 0o600)
      const text = await readFile(path, 'utf8')
      await writeFile(path, text.slice(0, -3))
      await refused(data, {}, 'ERR_KEY_CORRUPT')
      await writeFile(path, text)
    }
  })

  it('goes on with no damaged store or state, and repairs nothing by deleting it', async () => {
    const data = await founded()
    const cluster = await readFile(join(data, 'cluster.json'), 'utf8')
    await writeFile(join(data, 'cluster.json'), cluster.slice(0, 10))
    await refused(data, {}, 'ERR_STATE_CORRUPT')
    await writeFile(join(data, 'cluster.json'), cluster)

    const store = join(data, 'store')
    const names = await readdir(store)
    const log = names.find((name) => name.endsWith('.log')) ?? assert.fail('no log')
    await truncate(join(store, log), 20)
    await refused(data, {}, 'ERR_STORE_CORRUPT')
  })

  it('listens at no port that is taken, and never at another instead', async () => {
    const taken: Server = createServer()
    const port = await new Promise<number>((resolve) => {
      taken.listen(0, '127.0.0.1', () => {
        const bound = taken.address()
        resolve(typeof bound === 'object' && bound !== null ? bound.port : 0)
      })
    })
    const data = await fresh()
    await refused(data, { listen: [`/ip4/127.0.0.1/tcp/${port}`] }, 'ERR_PORT_IN_USE')
    await assert.rejects(readdir(data), { code: 'ENOENT' })
    await new Promise((resolve) => taken.close(resolve))
  })

  it('runs no plugin that is not there, is none, or takes what is p2pd’s', async () => {
    const data = await fresh()
    const folder = await tempDir()
    const plugin = join(folder, 'plugin.mjs')
    await refused(data, { plugin: [plugin] }, 'ERR_PLUGIN_NOT_FOUND', 2)
    await writeFile(plugin, 'export const plugin = {}\n')
    await refused(data, { plugin: [plugin] }, 'ERR_BAD_PLUGIN', 2)
    const takes = (more: string) => `export const plugin = { name: 'x', needs: [], run() {}, ${more} }\n`
    const status = join(folder, 'status.mjs')
    await writeFile(
      status,
      takes("routes: () => [{ method: 'GET', path: '/v1/status', summary: 'x', handle() {} }]"),
    )
    await refused(data, { plugin: [status] }, 'ERR_BAD_PLUGIN', 2)
    const both = join(folder, 'both.mjs')
    await writeFile(both, takes(''))
    await refused(data, { plugin: [both, both] }, 'ERR_BAD_PLUGIN', 2)
    await assert.rejects(readdir(data), { code: 'ENOENT' })
  })

  it('takes no address that is none, and no key of the config file that it does not know', async () => {
    const data = await fresh()
    await refused(data, { listen: ['/ip4/127.0.0.1/udp/1'] }, 'ERR_BAD_ADDRESS', 2)
    await refused(data, { join: ['localhost:4001'] }, 'ERR_BAD_ADDRESS', 2)
    for (const nowhere of [
      '/ip4/0.0.0.0',
      '/ip6/::',
      '/ip6/::ffff:0.0.0.0',
      '/ip6/fe80::1',
      '/ip6/ff02::1',
    ]) {
      await refused(data, { join: [`${nowhere}/tcp/4001`] }, 'ERR_BAD_ADDRESS', 2)
      await refused(data, { announce: [`${nowhere}/tcp/4001`] }, 'ERR_BAD_ADDRESS', 2)
    }
    await mkdir(data, { mode: 0o700 })
    await writeFile(join(data, 'config.toml'), 'lissen = []\n')
    await refused(data, {}, 'ERR_CONFIG', 2)
  })

  it('ends well when it is told to stop before it is ready', async () => {
    const data = await fresh()
    const { ended } = run({ data, log: 'silent' })
    await eventually('it has begun', () => existsSync(join(data, 'cluster.secret')))
    process.emit('SIGTERM', 'SIGTERM')
    assert.equal(await ended, 0)
  })
})

describe('init', () => {
  afterEach(removeTempDirs)

  it('makes an identity and a config file and no cluster, once', async () => {
    const data = join(await tempDir(), 'data')
    const first = await initDataDir({ data, name: 'm1', listen }, {})
    assert.deepEqual(first.created, { identity: true, config: true })
    assert.deepEqual((await readdir(data)).sort(), ['config.toml', 'identity.key', 'lock', 'store'])
    const again = await initDataDir({ data }, {})
    assert.deepEqual(again.created, { identity: false, config: false })
    assert.equal(again.peerId, first.peerId)
    await assert.rejects(initDataDir({ data, name: 'm2' }, {}), { code: 'ERR_CONFIG_EXISTS' })
  })

  it('writes whole paths of plugins, since those in the file are meant from where it lies', async () => {
    const data = join(await tempDir(), 'data')
    await initDataDir({ data, plugin: ['./a.mjs', 'b.mjs', 'package'] }, {})
    const { plugins = [] } = await parseConfigFile(await readFile(join(data, 'config.toml'), 'utf8'), 'x')
    assert.deepEqual(plugins, [join(process.cwd(), 'a.mjs'), join(process.cwd(), 'b.mjs'), 'package'])
  })

  it('is followed by a start that founds under that name and identity', async () => {
    const data = join(await tempDir(), 'data')
    const { peerId } = await initDataDir({ data, name: 'm1', cluster: 'shop', listen }, {})
    const umask = process.umask()
    let stderr = ''
    const sink = {
      write: (text: string) => {
        stderr += text
      },
    }
    const io = { env: {}, stdin: (async function* () {})(), stdout: sink, stderr: sink, exit: () => {} }
    const ended = runDaemon({ data }, io)
    await eventually('it is ready', () => stderr.includes('ready:'))
    process.emit('SIGTERM', 'SIGTERM')
    assert.equal(await ended, 0)
    process.umask(umask)
    assert.ok(stderr.startsWith(`ready: m1 (${peerId}) founded cluster shop, `), stderr)
  })
})

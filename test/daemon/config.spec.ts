import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { configDefaults, type DaemonFlags, loadConfig, parseConfigFile } from '../../daemon/config.ts'
import { configTemplate } from '../../daemon/config-template.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'

describe("the daemon's configuration", () => {
  afterEach(removeTempDirs)

  async function load(flags: DaemonFlags, env: Record<string, string> = {}, file?: string) {
    const data = await tempDir()
    if (file !== undefined) await writeFile(join(data, 'config.toml'), file)
    return await loadConfig({ data, ...flags }, env)
  }

  it('takes flags over the environment over the file over defaults', async () => {
    const file = 'name = "file"\ncluster = "file"\nprofile = "local"\nlog = "warn"\n'
    const config = await load({ name: 'flag' }, { P2PD_NAME: 'env', P2PD_CLUSTER: 'env' }, file)
    assert.equal(config.name, 'flag')
    assert.equal(config.cluster, 'env')
    assert.equal(config.profile, 'local')
    assert.equal(config.log, 'warn')
    assert.equal(config.fastPath, true)
    assert.equal((await load({})).profile, configDefaults.profile)
  })

  it('keeps for the next start what flags and environment said, and not what the file says', async () => {
    const listen = ['/ip4/127.0.0.1/tcp/0']
    const config = await load({ listen }, { P2PD_NAME: 'env' }, 'announce = ["/ip4/192.0.2.1/tcp/1"]\n')
    const rest = { announce: undefined, expect: undefined, tags: undefined }
    assert.deepEqual(config.said, { name: 'env', listen, ...rest })
    assert.deepEqual(config.announce, ['/ip4/192.0.2.1/tcp/1'])
  })

  it('takes lists and switches from the environment', async () => {
    const env = {
      P2PD_LISTEN: '/ip4/127.0.0.1/tcp/1, /ip6/::1/tcp/1',
      P2PD_FAST_PATH: 'false',
      P2PD_CONTROL_TCP: '127.0.0.1:7070',
      P2PD_NAME: '',
      P2PD_JOIN: '',
      P2PD_ANNOUNCE: '',
    }
    const config = await load({}, env)
    assert.deepEqual(config.listen, ['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/1'])
    assert.equal(config.fastPath, false)
    assert.equal(config.control.tcp, '127.0.0.1:7070')
    assert.equal(config.name, undefined)
    assert.equal(config.announce, undefined)
  })

  it('takes plugins from the working directory, and those of a file from where it lies', async () => {
    const named = async (...args: Parameters<typeof load>) => (await load(...args)).plugins
    const file = 'plugins = ["./b.mjs", "c"]\n'
    assert.deepEqual(await named({}), [])
    assert.deepEqual(await named({ plugin: ['./a.mjs'] }, {}, file), [
      { module: './a.mjs', folder: process.cwd() },
    ])
    assert.deepEqual(await named({}, { P2PD_PLUGINS: 'a, ./b.mjs' }, file), [
      { module: 'a', folder: process.cwd() },
      { module: './b.mjs', folder: process.cwd() },
    ])
    const { plugins, dataDir } = await load({}, {}, file)
    assert.deepEqual(plugins, [
      { module: './b.mjs', folder: dataDir },
      { module: 'c', folder: dataDir },
    ])
    const elsewhere = await tempDir()
    await writeFile(join(elsewhere, 'p2pd.toml'), file)
    const [first] = await named({ config: join(elsewhere, 'p2pd.toml') })
    assert.deepEqual(first, { module: './b.mjs', folder: elsewhere })
  })

  it('takes tags from each source as a whole, and keeps what was said', async () => {
    const file = '[tags]\nrole = "file"\nzone = "eu-1"\n'
    assert.deepEqual((await load({}, {}, file)).tags, { role: 'file', zone: 'eu-1' })
    assert.equal((await load({}, {}, file)).said.tags, undefined)
    const env = { P2PD_TAGS: 'role=env, text=two words' }
    assert.deepEqual((await load({}, env, file)).tags, { role: 'env', text: 'two words' })
    const config = await load({ tag: ['role=a=b', 'empty='] }, env, file)
    assert.deepEqual(config.tags, { role: 'a=b', empty: '' })
    assert.deepEqual(config.said.tags, config.tags)
    assert.equal((await load({})).tags, undefined)
    assert.deepEqual((await load({}, {}, 'tags = {}\n')).tags, {})
  })

  it('looks for members in the local network when it is told to', async () => {
    assert.equal((await load({})).mdns, false)
    assert.equal((await load({ mdns: true })).mdns, true)
    assert.equal((await load({}, { P2PD_MDNS: '0' }, 'mdns = true\n')).mdns, false)
    assert.equal((await load({}, {}, 'mdns = true\n')).mdns, true)
  })

  it('takes how many are expected from each source, and keeps what was said', async () => {
    assert.equal((await load({})).expect, undefined)
    assert.equal((await load({}, {}, 'expect = 5\n')).expect, 5)
    assert.equal((await load({}, {}, 'expect = 5\n')).said.expect, undefined)
    const config = await load({ expect: 3 }, { P2PD_EXPECT: '4' }, 'expect = 5\n')
    assert.deepEqual([config.expect, config.said.expect], [3, 3])
    assert.equal((await load({}, { P2PD_EXPECT: '4' }, 'expect = 5\n')).expect, 4)
  })

  it('names the source and the key of whatever is wrong', async () => {
    const wrong: [DaemonFlags, Record<string, string>, string | undefined, string, RegExp][] = [
      [{ profile: 'man' }, {}, undefined, 'ERR_CONFIG', /^--profile must be one of lan, local, wan$/],
      [{ tag: ['role'] }, {}, undefined, 'ERR_CONFIG', /^--tag holds "role", which is not KEY=VALUE$/],
      [{ tag: ['a=1', 'a=2'] }, {}, undefined, 'ERR_CONFIG', /^--tag says a twice$/],
      [{ tag: ['a b=1'] }, {}, undefined, 'ERR_CONFIG', /^--tag hold "a b": a key has 1 to 64/],
      [{ tag: ['__proto__=1'] }, {}, undefined, 'ERR_CONFIG', /^--tag hold "__proto__"/],
      [{}, { P2PD_TAGS: 'role' }, undefined, 'ERR_CONFIG', /^P2PD_TAGS holds "role"/],
      [{}, { P2PD_TAGS: 'role=\x07' }, undefined, 'ERR_CONFIG', /^P2PD_TAGS hold "role" with a value/],
      [{}, {}, 'tags = ["role=web"]\n', 'ERR_CONFIG', /^tags in .* must be a table, like/],
      [{}, {}, '[tags]\nport = 80\n', 'ERR_CONFIG', /^tags in .* hold "port" with a value that is no text/],
      [{}, { P2PD_MDNS: 'maybe' }, undefined, 'ERR_CONFIG', /^P2PD_MDNS must be a boolean$/],
      [{ name: 'a b' }, {}, undefined, 'ERR_CONFIG', /^--name must be/],
      [{}, { P2PD_FAST_PATH: 'maybe' }, undefined, 'ERR_CONFIG', /^P2PD_FAST_PATH must be a boolean$/],
      [
        {},
        { P2PD_CONTROL_TCP: '0.0.0.0:1' },
        undefined,
        'ERR_CONFIG',
        /^P2PD_CONTROL_TCP must be a loopback/,
      ],
      [{ expect: 1 }, {}, undefined, 'ERR_CONFIG', /^--expect must be a whole number from 2 to 1000$/],
      [{}, { P2PD_EXPECT: '1001' }, undefined, 'ERR_CONFIG', /^P2PD_EXPECT must be a whole number/],
      [{}, { P2PD_EXPECT: 'three' }, undefined, 'ERR_CONFIG', /^P2PD_EXPECT must be a number$/],
      [{}, {}, 'expect = 2.5\n', 'ERR_CONFIG', /^expect in .* must be a whole number/],
      [{ plugin: [''] }, {}, undefined, 'ERR_CONFIG', /^--plugin must not be empty$/],
      [{}, { P2PD_PLUGINS: 'a,'.repeat(33) }, undefined, 'ERR_CONFIG', /^P2PD_PLUGINS holds more than 32$/],
      [{}, {}, 'plugins = "a"\n', 'ERR_CONFIG', /^plugins in .* must be a list$/],
      [{}, {}, 'lisen = []\n', 'ERR_CONFIG', /^lisen in .*config\.toml is not a known key$/],
      [{}, {}, '[membership]\nfastpath = true\n', 'ERR_CONFIG', /^membership\.fastpath in /],
      [{}, {}, 'name = 3\n', 'ERR_CONFIG', /^name in .* must be a string$/],
      [{}, {}, 'listen = "x"\n', 'ERR_CONFIG', /^listen in .* must be a list$/],
      [{}, {}, 'name = \n', 'ERR_CONFIG', /config\.toml, line 1 is not TOML/],
      [{}, {}, 'data = "/x"\n', 'ERR_CONFIG', /cannot be set inside the data directory/],
      [
        { listen: ['/ip4/1.2.3/tcp/1'] },
        {},
        undefined,
        'ERR_BAD_ADDRESS',
        /^--listen: "\/ip4\/1\.2\.3\/tcp\/1"/,
      ],
      [{ listen: ['/dns4/a.example/tcp/1'] }, {}, undefined, 'ERR_BAD_ADDRESS', /^--listen/],
      [{ join: ['/ip4/192.0.2.1/tcp/0'] }, {}, undefined, 'ERR_BAD_ADDRESS', /^--join/],
      [{}, { P2PD_ANNOUNCE: 'nonsense' }, undefined, 'ERR_BAD_ADDRESS', /^P2PD_ANNOUNCE: "nonsense"/],
    ]
    for (const [flags, env, file, code, message] of wrong) {
      await assert.rejects(load(flags, env, file), { code, message })
    }
  })

  it('refuses a secret wherever somebody puts it', async () => {
    await assert.rejects(load({}, { P2PD_SECRET: 'x' }), {
      code: 'ERR_CONFIG',
      message: /^P2PD_SECRET is not read/,
    })
    await assert.rejects(load({}, {}, 'secret = "x"\n'), { code: 'ERR_CONFIG', hint: /--invite FILE/ })
  })

  it('reads the named file instead of the one in the data directory, which may then say where that is', async () => {
    const folder = await tempDir()
    const path = join(folder, 'p2pd.toml')
    await writeFile(path, `data = ${JSON.stringify(join(folder, 'data'))}\nname = "named"\n`)
    assert.equal((await loadConfig({ config: path }, {})).dataDir, join(folder, 'data'))
    assert.equal((await load({ config: path }, {}, 'name = "inside"\n')).name, 'named')
    await assert.rejects(load({ config: join(folder, 'missing.toml') }), { code: 'ERR_CONFIG' })
  })
})

describe('the config file that init writes', () => {
  it('parses and sets nothing but what was given', async () => {
    assert.deepEqual(await parseConfigFile(configTemplate({}), 'x'), { membership: {}, control: {} })
    const given = {
      name: 'm1',
      listen: ['/ip4/127.0.0.1/tcp/4001'],
      log: 'debug' as const,
      tags: { 'a.b': 'x "y"' },
    }
    assert.deepEqual(await parseConfigFile(configTemplate(given), 'x'), {
      ...given,
      membership: {},
      control: {},
    })
  })

  it('documents every key with a value that is accepted', async () => {
    const uncommented = configTemplate({}).replace(/^#(\w+ = )/gm, '$1')
    const parsed = await parseConfigFile(uncommented, 'x')
    assert.deepEqual(parsed, {
      name: 'web-1',
      cluster: 'p2pd',
      listen: ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0'],
      announce: [],
      join: [],
      expect: 3,
      plugins: [],
      tags: { role: 'web' },
      mdns: false,
      profile: configDefaults.profile,
      log: configDefaults.log,
      membership: { fastPath: configDefaults.fastPath },
      control: { tcp: '127.0.0.1:7070', tokenFile: 'control.token', hosts: [], origins: [] },
    })
  })
})

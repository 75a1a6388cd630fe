import assert from 'node:assert/strict'
import { createPeer, type Peer, type PeerOptions } from '../../lib/index.ts'
import type { PeerPlugin } from '../../lib/plugin.ts'
import type { PeerId } from '../../lib/protocols/core.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Plugin } from '../../plugins/contract.ts'
import { eventually } from '../support/eventually.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'
import { type NoteApi, type NoteOptions, notes } from './note-plugin.ts'

const base = {
  cluster: 'test',
  secret: '5a'.repeat(32),
  listen: ['/ip4/127.0.0.1/tcp/0'],
  profile: 'local',
} as const

type Noting = Peer<{ notes: PeerPlugin<NoteApi> }>

const running: Pick<Peer, 'stop'>[] = []

async function start(options: Partial<PeerOptions> = {}, noteOptions: NoteOptions = {}): Promise<Noting> {
  const peer = await createPeer({ ...base, ...options, plugins: { notes: notes(noteOptions) } })
  running.push(peer)
  return peer
}

async function pair(first: NoteOptions = {}, second: NoteOptions = {}): Promise<[Noting, Noting]> {
  const a = await start({ name: 'a' }, first)
  const b = await start({ name: 'b', join: a.addresses }, second)
  await eventually('each other', () => [a, b].every((peer) => peer.members().length === 2))
  return [a, b]
}

describe('a plugin in a peer', () => {
  afterEach(async () => {
    await Promise.all(running.splice(0).map((peer) => peer.stop()))
    await removeTempDirs()
  })

  it('is there by its name, with its own type, and a peer without one has none', async () => {
    const a = await start()
    const api: NoteApi = a.plugins.notes
    api.say(a.peerId, 'nobody is there')
    // @ts-expect-error: what is not there has no type either.
    assert.equal(a.plugins.others, undefined)
    const bare = await createPeer(base)
    running.push(bare)
    assert.deepEqual(bare.plugins, {})
  })

  it('talks with the same plugin of other peers, over a link of its own', async () => {
    const [a, b] = await pair()
    a.plugins.notes.say(b.peerId, 'good morning')
    await eventually('the greeting', () => b.plugins.notes.notes.includes('heard good morning'))
    b.plugins.notes.say(a.peerId, 'the same to you')
    await eventually('the answer', () => a.plugins.notes.notes.includes('heard the same to you'))
  })

  it('hears of connections and members as they come, of its own row too, and that its life is settled', async () => {
    const [a, b] = await pair()
    const told = b.plugins.notes.notes
    await eventually('all of it', () => told.some((note) => note.startsWith('joined')))
    assert.ok(told.includes(`connected ${a.peerId}`) && told.includes(`member ${b.peerId} alive`))
    assert.ok(told.indexOf(`connected ${a.peerId}`) < told.findIndex((note) => note.startsWith('joined')))
    assert.equal(told.filter((note) => note.startsWith('connected')).length, 1)
    assert.deepEqual(
      told.filter((note) => note.startsWith('joined')),
      [`joined ${b.generation}`],
    )
    await a.stop()
    await eventually('its end', () => told.includes(`disconnected ${a.peerId}`))
    assert.ok(told.includes(`member ${a.peerId} left`))
  })

  it('is given the services that it needs and no others', async () => {
    const a = await start({}, { needs: ['clock', 'membership'] })
    const { membership, multicast, clock } = a.plugins.notes.context.services
    assert.equal(multicast, undefined)
    assert.deepEqual(membership?.members(), a.members())
    assert.equal(clock?.now().lamport, a.clock().lamport)
    const b = await start({}, { needs: ['multicast'] })
    const services = b.plugins.notes.context.services
    assert.deepEqual(Object.keys(services), ['multicast'])
    const group = await services.multicast?.group('talk')
    assert.equal(group?.name, 'talk')
    assert.equal('stop' in (services.multicast ?? {}), false)
  })

  it('finds after a restart what it had on the disk when it was told so', async () => {
    const dataDir = await tempDir()
    const a = await start({ dataDir })
    a.plugins.notes.keep('greeting', 'hello')
    await eventually('kept', () => a.plugins.notes.notes.includes('kept greeting'))
    await a.stop()
    const { durable } = (await start({ dataDir })).plugins.notes.context
    assert.deepEqual(
      [...durable].map(([key, value]) => [key, new TextDecoder().decode(value)]),
      [['greeting', 'hello']],
    )
  })

  it('has whoever sends it nonsense cut off', async () => {
    const [a, b] = await pair()
    for (const text of ['! nonsense', '? nonsense', '! nonsense']) a.plugins.notes.say(b.peerId, text)
    await eventually('the cut', () => b.counters().linksCut === 1)
    assert.equal(b.counters().dropped.malformed, 3)
    assert.equal(b.plugins.notes.notes.filter((note) => note.startsWith('heard')).length, 0)
  })

  it('may have somebody struck who breaks its rules', async () => {
    const [a, b] = await pair()
    for (let i = 0; i < 3; i += 1) b.plugins.notes.context.strike(a.peerId)
    await eventually('the cut', () => b.counters().linksCut === 1)
    assert.equal(b.counters().dropped.misbehaved, 3)
  })

  it('asks for connections to members alone, and no more often than once a second', async () => {
    const [a, b] = await pair()
    await a.admission.deny(b.peerId)
    await eventually('the cut', () => a.plugins.notes.notes.includes(`disconnected ${b.peerId}`))
    const denied = () => a.counters().dials.denied ?? 0
    const before = denied()
    const { context } = a.plugins.notes
    for (let i = 0; i < 100; i += 1) context.dial(b.peerId)
    for (let i = 0; i < 100; i += 1) context.dial('12D3KooWStranger' as typeof b.peerId)
    await eventually('an attempt', () => denied() > before)
    assert.ok(denied() - before < 10, 'one of its own, besides those of membership')
  })

  it('says its last words before the links close, and hears last that the peer has ended', async () => {
    const told: string[] = []
    const a = await start({ name: 'a' })
    const b = await start(
      { name: 'b', join: a.addresses },
      {
        notes: told,
        hooks: {
          stop: async () => {
            told.push('stop')
            b.plugins.notes.say(a.peerId, 'farewell')
          },
        },
      },
    )
    await eventually('each other', () => a.members().length === 2)
    await b.stop()
    await eventually('the farewell', () => a.plugins.notes.notes.includes('heard farewell'))
    const heard = a.plugins.notes.notes
    assert.ok(heard.indexOf('heard farewell') < heard.indexOf(`member ${b.peerId} left`))
    const ends = told.filter((note) => note === 'stop' || note === 'ended')
    assert.deepEqual([ends, told.at(-1)], [['stop', 'ended'], 'ended'])
  })

  it('cannot keep a peer from stopping', async () => {
    const a = await start({}, { hooks: { stop: () => new Promise(() => {}) } })
    const startedAt = performance.now()
    await a.stop()
    const tookMs = performance.now() - startedAt
    assert.ok(tookMs > 1900 && tookMs < 4500, `${tookMs} ms`)
  })

  it('can refuse to leave, unless it is forced, and then the peer stays', async () => {
    const refuse = async ({ force }: { readonly force: boolean }): Promise<void> => {
      if (!force) throw new P2pdError('ERR_LEAVE_INCOMPLETE', 'others need this one')
    }
    const [a, b] = await pair({}, { hooks: { leave: refuse } })
    await assert.rejects(b.leave(), { code: 'ERR_LEAVE_INCOMPLETE' })
    b.plugins.notes.say(a.peerId, 'still here')
    await eventually('it talks', () => a.plugins.notes.notes.includes('heard still here'))
    await b.leave({ force: true })
    await b.closed
    assert.equal(a.members().find(({ peer }) => peer === b.peerId)?.reason, 'leaving')
  })

  it('whose core breaks ends the peer, without last words', async () => {
    const told: string[] = []
    const a = await start({}, { notes: told })
    a.plugins.notes.break()
    await assert.rejects(a.closed, { code: 'ERR_INTERNAL' })
    assert.deepEqual([told.includes('stop'), told.at(-1)], [false, 'ended'])
  })

  it('that throws when told something ends the peer too', async () => {
    const joined = () => {
      throw new Error('it was to break')
    }
    const peer = createPeer({ ...base, plugins: { notes: notes({ hooks: { joined } }) } })
    await assert.rejects(
      peer.then(({ closed }) => closed),
      { code: 'ERR_INTERNAL' },
    )
  })

  it('that cannot run ends the start, with what it throws, and those before it hear of that', async () => {
    const told: string[] = []
    const broken: PeerPlugin = {
      name: 'broken',
      needs: [],
      run() {
        throw new P2pdError('ERR_BAD_OPTION', 'no such thing')
      },
    }
    const dataDir = await tempDir()
    const plugins = { notes: notes({ notes: told }), broken }
    await assert.rejects(createPeer({ ...base, dataDir, plugins }), { code: 'ERR_BAD_OPTION' })
    assert.deepEqual(told, ['ended'])
    await start({ dataDir })
  })

  it('may stand in a module outside the tree, as examples/hello-plugin.mjs does', async () => {
    const { plugin } = (await import(
      String(new URL('../../../examples/hello-plugin.mjs', import.meta.url))
    )) as {
      readonly plugin: Plugin<{ readonly answers: number; greet(to: PeerId): void }>
    }
    const plugins = { hello: plugin }
    const a = await createPeer({ ...base, name: 'a', plugins })
    const b = await createPeer({ ...base, name: 'b', plugins, join: a.addresses })
    running.push(a, b)
    await eventually('a link', () => a.members().some(({ self, connected }) => !self && connected))
    a.plugins.hello.greet(b.peerId)
    await eventually('an answer', () => a.plugins.hello.answers === 1)
    assert.equal(b.plugins.hello.answers, 0)
    const [greet, answered] = [{ type: 'greet' }, { type: 'answered' }]
    assert.deepEqual(plugin.checker?.check([greet, answered]), [])
    assert.equal(plugin.checker?.check([greet, answered, answered]).length, 1)
  })

  it('drives one core, within run', async () => {
    const late = (await start()).plugins.notes.context
    const protocol = {} as Parameters<typeof late.drive>[0]
    assert.throws(() => late.drive(protocol), /once, in run/)
  })

  it('is refused with a hint when it is none', async () => {
    const wrong: Record<string, Record<string, unknown>> = {
      'a bad name': { 'No such': notes({ name: 'No such' }) },
      'a name too long': { [`n${'o'.repeat(32)}`]: notes({ name: `n${'o'.repeat(32)}` }) },
      'a name of the peer': { membership: notes({ name: 'membership' }) },
      'another name of the peer': { multicast: notes({ name: 'multicast' }) },
      'a part of the store': { host: notes({ name: 'host' }) },
      'another key': { remarks: notes() },
      'twice the same': { notes: notes(), again: notes() },
      'an unknown need': { notes: { ...notes(), needs: ['coffee'] } },
      'no function': { notes: { name: 'notes', needs: [] } },
      nothing: { notes: undefined },
      'frames without bound': {
        notes: notes({ link: { maxFrameBytes: 2 ** 30, queueBytes: 2 ** 20, queueFrames: 10 } }),
      },
      'a queue that holds no frame': {
        notes: notes({ link: { maxFrameBytes: 2000, queueBytes: 1000, queueFrames: 10 } }),
      },
      'too many': Object.fromEntries([...'abcdefghijklmnopq'].map((name) => [name, notes({ name })])),
    }
    for (const [what, plugins] of Object.entries(wrong)) {
      const options = { ...base, plugins: plugins as Record<string, PeerPlugin> }
      await assert.rejects(
        createPeer(options),
        (error) => error instanceof P2pdError && error.code === 'ERR_BAD_PLUGIN' && error.hint !== undefined,
        what,
      )
    }
  })
})

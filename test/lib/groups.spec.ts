import assert from 'node:assert/strict'
import { join } from 'node:path'
import { openStore } from '../../lib/host/store.ts'
import { createPeer, type Group, type GroupMessage, type Peer, type PeerOptions } from '../../lib/index.ts'
import { eventually } from '../support/eventually.ts'
import { removeTempDirs, tempDir } from '../support/temp-dir.ts'

const secret = '5b'.repeat(32)
const base = { cluster: 'test', secret, listen: ['/ip4/127.0.0.1/tcp/0'], profile: 'local' } as const

const running: Peer[] = []
const reading: AbortController[] = []

async function start(options: Partial<PeerOptions> = {}): Promise<Peer> {
  const peer = await createPeer({ ...base, ...options })
  running.push(peer)
  return peer
}

/** All that a group brings from `from` on, as it comes. */
function follow(group: Group, from = 'earliest'): GroupMessage[] {
  const messages: GroupMessage[] = []
  const controller = new AbortController()
  reading.push(controller)
  void (async () => {
    for await (const message of group.messages({ from, signal: controller.signal })) messages.push(message)
  })()
  return messages
}

const text = ({ data }: GroupMessage): string => new TextDecoder().decode(data)
const hasCode = (code: string) => (error: unknown) => (error as { code?: string }).code === code

describe('a group', () => {
  afterEach(async () => {
    for (const controller of reading.splice(0)) controller.abort()
    await Promise.all(running.splice(0).map((peer) => peer.stop()))
    await removeTempDirs()
  })

  it('brings every message to everybody, a reply after what it answers', async () => {
    const a = await start({ name: 'a' })
    const peers = [a, await start({ join: a.addresses }), await start({ join: a.addresses })]
    const groups = await Promise.all(peers.map((peer) => peer.group('talk')))
    const read = groups.map((group) => follow(group))
    const [first, second] = groups as [Group, Group, Group]
    const asked = await first.publish('question')
    await eventually('the question', () => read[1]?.length === 1)
    const answered = await second.publish('answer')
    await eventually('both everywhere', () => read.every((messages) => messages.length === 2))
    for (const messages of read) assert.deepEqual(messages.map(text), ['question', 'answer'])
    assert.deepEqual([asked.seq, asked.lamport, answered.lamport], [1, 1, 2])
    const vector = { [`${asked.sender}#${asked.epoch}`]: 1, [`${answered.sender}#${answered.epoch}`]: 1 }
    assert.deepEqual(answered.vector, vector)
    const [, answer] = read[2] as [GroupMessage, GroupMessage]
    assert.deepEqual([answer.vector, answer.vectorExact, answer.index], [vector, true, 2])
    assert.match(answer.hlc ?? '', /^\d{13}\.\d{5}$/)
  })

  it('connects its members where there are too many for everybody to be connected with everybody', async () => {
    const membership = { meshUpTo: 3, rings: 1, randomDialMs: 3_600_000 }
    const first = await start({ membership })
    const peers = [first]
    while (peers.length < 8) peers.push(await start({ membership, join: first.addresses }))
    await eventually('all know all', () => peers.every((peer) => peer.members().length === peers.length))
    const apart = (a: Peer) =>
      peers.find((b) => a.members().some(({ peer, connected }) => peer === b.peerId && !connected))
    await eventually('somebody is apart from somebody', () => peers.some((peer) => apart(peer) !== undefined))
    const one = peers.find((peer) => apart(peer) !== undefined) as Peer
    const other = apart(one) as Peer
    const read = follow(await other.group('few'))
    await (await one.group('few')).publish('hello')
    await eventually('the message', () => read.length === 1)
  })

  it('loses nothing that is published before anybody could hear it', async () => {
    const a = await start({ name: 'a' })
    const b = await start({ join: a.addresses })
    const [mine, theirs] = await Promise.all([a.group('g'), b.group('g')])
    const heard = follow(theirs)
    for (let i = 0; i < 20; i += 1) void mine.publish(`m${i}`)
    await eventually('all twenty', () => heard.length === 20)
    assert.deepEqual(
      heard.map(text),
      Array.from({ length: 20 }, (_, i) => `m${i}`),
    )
  })

  it('takes a message when this peer is alone, and shows it to who comes later and asks for all', async () => {
    const a = await start({ name: 'a' })
    const mine = await a.group('g')
    await mine.publish('alone')
    const b = await start({ join: a.addresses })
    const theirs = await b.group('g')
    const all = follow(theirs, 'earliest')
    const fresh = follow(theirs, 'latest')
    await mine.publish('together')
    await eventually('both', () => all.length === 2 && fresh.length === 1)
    assert.deepEqual([all.map(text), fresh.map(text)], [['alone', 'together'], ['together']])
  })

  it('brings who was away all that it missed, and its own old messages to the others', async () => {
    const a = await start({ name: 'a' })
    const dataDir = await tempDir()
    const before = await start({ name: 'b', dataDir, join: a.addresses })
    const mine = await a.group('g')
    const all = follow(mine)
    const theirs = await before.group('g')
    await theirs.publish('before')
    await eventually('the first', () => all.length === 1)
    await before.stop()
    for (const word of ['one', 'two', 'three']) await mine.publish(word)
    const after = await start({ name: 'b', dataDir })
    const missed = follow(await after.group('g'))
    await eventually('what it missed', () => missed.length === 3)
    assert.deepEqual(missed.map(text), ['one', 'two', 'three'])
    const { epoch, seq } = await (await after.group('g')).publish('back')
    assert.ok(epoch > (all[0]?.epoch ?? 0) && seq === 1)
    await eventually('its new message', () => all.length === 5)
    assert.deepEqual(all.map(text), ['before', 'one', 'two', 'three', 'back'])
  })

  it('does not start with a damaged record of a group', async () => {
    const dataDir = await tempDir()
    const before = await start({ dataDir })
    await (await before.group('g')).publish('x')
    await before.stop()
    const store = await openStore(join(dataDir, 'store'))
    const journal = store.journal('multicast')
    for (const [key, value] of await journal.load()) {
      if (key.startsWith('entry/')) await journal.write(new Map([[key, value.subarray(0, 20)]]))
    }
    await store.close()
    await assert.rejects(start({ dataDir }), hasCode('ERR_STORE_CORRUPT'))
  })

  it('resumes after a cursor, and knows none of another group or life', async () => {
    const a = await start({ name: 'a' })
    const group = await a.group('g')
    for (const word of ['one', 'two', 'three']) await group.publish(word)
    const messages = follow(group)
    await eventually('three', () => messages.length === 3)
    const cursor = messages[0]?.cursor ?? ''
    const rest = follow(group, cursor)
    await eventually('the rest', () => rest.length === 2)
    assert.deepEqual(rest.map(text), ['two', 'three'])
    const other = await a.group('other')
    assert.throws(() => other.messages({ from: cursor }), hasCode('ERR_CURSOR_UNKNOWN'))
    assert.throws(() => group.messages({ from: 'nonsense' }), hasCode('ERR_BAD_CURSOR'))
    await group.leave()
    const again = await a.group('g')
    assert.throws(() => again.messages({ from: cursor }), hasCode('ERR_CURSOR_UNKNOWN'))
  })

  it('never uses a dot twice, also when it is left and joined again with nobody there', async () => {
    const a = await start({ name: 'a' })
    const group = await a.group('g')
    const first = await group.publish('one')
    await group.leave()
    await assert.rejects(group.publish('gone'), hasCode('ERR_GROUP_LEFT'))
    const second = await (await a.group('g')).publish('two')
    assert.notEqual(`${first.epoch}:${first.seq}`, `${second.epoch}:${second.seq}`)
    assert.equal(a.generation, second.epoch)
  })

  it('refuses what is too large or has no proper name before anything is sent', async () => {
    const a = await start({ name: 'a' })
    const group = await a.group('g')
    await assert.rejects(group.publish(new Uint8Array(2 ** 20 + 1)), hasCode('ERR_TOO_LARGE'))
    const { seq } = await group.publish(new Uint8Array(2 ** 20))
    assert.equal(seq, 1)
    for (const name of ['', 'a b', 'ü', 'x'.repeat(65)]) {
      await assert.rejects(a.group(name), hasCode('ERR_BAD_GROUP'))
    }
    await assert.rejects(async () => (await a.group('all')).leave(), hasCode('ERR_BAD_GROUP'))
    for (const ask of [() => a.clock('none'), () => a.trace('none')]) {
      assert.throws(ask, { code: 'ERR_BAD_GROUP', message: "this peer is not in group 'none'" })
    }
  })

  it('shows who is in it, here and elsewhere', async () => {
    const a = await start({ name: 'a' })
    const b = await start({ name: 'b', join: a.addresses })
    await b.group('theirs')
    const row = await eventually('the record', () => a.groups().find(({ name }) => name === 'theirs'))
    assert.deepEqual([row.joined, row.ready, row.members], [false, null, [b.peerId]])
    const all = await eventually('both in all', () =>
      a.groups().find(({ name, members }) => name === 'all' && members.length === 2),
    )
    assert.equal(all.joined, true)
  })

  it('records its line of the space-time diagram', async () => {
    const a = await start({ name: 'a' })
    const b = await start({ name: 'b', join: a.addresses })
    const [mine, theirs] = await Promise.all([a.group('g'), b.group('g')])
    const asked = await mine.publish('question')
    const heard = follow(theirs)
    await eventually('the question', () => heard.length === 1)
    await theirs.publish('answer')
    const [delivered, published] = b.trace('g')
    assert.deepEqual(
      [delivered?.kind, delivered?.index, delivered?.after, published?.kind, published?.index],
      ['deliver', 1, [], 'publish', 2],
    )
    assert.deepEqual(published?.after, [`${asked.sender}#${asked.epoch}:1`])
  })

  it('ends its readers and refuses publishers when the peer stops', async () => {
    const a = await start({ name: 'a' })
    const group = await a.group('g')
    const messages = group.messages()
    const next = messages.next()
    await a.stop()
    assert.equal((await next).done, true)
    await assert.rejects(group.publish('late'), hasCode('ERR_STOPPED'))
    await assert.rejects(a.group('h'), hasCode('ERR_STOPPED'))
  })

  it('gives up waiting when its signal aborts', async () => {
    const a = await start({ name: 'a' })
    const reason = new Error('enough')
    await assert.rejects(a.group('g', { signal: AbortSignal.abort(reason) }), reason)
    const group = await a.group('g')
    await assert.rejects(group.publish('x', { signal: AbortSignal.abort(reason) }), reason)
  })
})

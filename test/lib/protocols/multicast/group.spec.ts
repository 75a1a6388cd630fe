import assert from 'node:assert/strict'
import { ascii } from '../../../../lib/protocols/bytes.ts'
import { dotOf } from '../../../../lib/protocols/multicast/dots.ts'
import {
  durableKeys,
  encodeEntry,
  encodeGroupState,
} from '../../../../lib/protocols/multicast/durable-state.ts'
import { sealEnvelope } from '../../../../lib/protocols/multicast/envelope.ts'
import type { DotKey, Envelope, Header, PacketBody } from '../../../../lib/protocols/multicast/messages.ts'
import { type Node, type NodeOptions, Pump, raw, room, roomId } from './pump.ts'
import { cluster, cryptoOf, hashA, keyOf, peer } from './sealing.ts'

function trio(pump: Pump, options: NodeOptions = {}): [Node, Node, Node] {
  const [a, b] = pump.pair(options)
  const c = pump.add('c', options).join()
  pump.until(() => c.ready)
  pump.run(1000)
  return [a, b, c]
}

/** In a group that a core takes part in, by somebody that follows no rules. */
function made(name: string, change: Partial<Header> = {}, payload = 'x'): Envelope {
  const header = {
    cluster,
    group: roomId,
    author: peer(name),
    epoch: 5,
    seq: 1,
    previous: undefined,
    lamport: 1,
    hybrid: undefined,
    dependencies: [],
    old: undefined,
    ...change,
  }
  return sealEnvelope(header, [ascii(payload)], cryptoOf(peer(name)))
}

function push(to: Node, from: Node, envelope: Envelope): void {
  to.receive(from.peer, { type: 'push', envelope })
}

/** The next of this author's log. */
function nextOf(before: Envelope, change: Partial<Header> = {}, payload = 'x'): Envelope {
  const { header, last, hash, lastLamport } = before
  const name = header.author.slice(8).replace(/x+$/, '')
  const next = { epoch: header.epoch, seq: last + 1, previous: hash, lamport: lastLamport + 1, ...change }
  return made(name, next, payload)
}

function nobodys(count: number): DotKey[] {
  return Array.from({ length: count }, (_, i) => ({
    author: keyOf(peer(`nobody${i}`)),
    epoch: 1,
    seq: 1,
  })).sort((x, y) => (x.author < y.author ? -1 : 1))
}

describe('a group', () => {
  describe('delivering', () => {
    it('brings everything to everybody in causal order when gossip loses half of it', () => {
      const pump = new Pump()
      const nodes = trio(pump)
      pump.losesGossip = () => pump.random() < 0.5
      for (let i = 0; i < 60; i++) {
        nodes[i % 3]?.publish(`${i}`)
        pump.run(20)
        if (i % 20 === 0) pump.heartbeats()
      }
      pump.run(1000)
      pump.heartbeats()
      pump.run(3000)
      for (const node of nodes) {
        assert.equal(new Set(node.texts).size, 60)
        assert.equal(node.texts.length, 60)
        const seen = new Set<string>()
        for (const { envelope } of node.of('delivered')) {
          const { dependencies, seq, epoch } = envelope.header
          const before = seq > 1 ? [{ author: envelope.authorKey, epoch, seq: seq - 1 }] : []
          for (const dot of [...before, ...dependencies]) assert.ok(seen.has(`${dot.author}:${dot.seq}`))
          seen.add(`${envelope.authorKey}:${seq}`)
        }
      }
      assert.ok(
        nodes.some((node) => node.of('delivered').some((event) => (event.repairedAfterMs ?? -1) >= 0)),
      )
      assert.ok(nodes.every((node) => node.of('gap').every(({ ranges }) => ranges.length > 0)))
    })

    it('learns of a lost last message by heartbeats alone', () => {
      const pump = new Pump()
      const [a, b, c] = trio(pump)
      pump.losesGossip = () => true
      a.publish('last')
      pump.run(100)
      assert.deepEqual([b.texts, c.texts], [[], []])
      pump.heartbeats()
      pump.run(500)
      assert.deepEqual([b.texts, c.texts], [['last'], ['last']])
    })

    it('learns by heartbeats of what somebody else has, too', () => {
      const pump = new Pump()
      const [a, b, c] = trio(pump)
      pump.losesGossip = (_, to) => to === c
      a.publish('1')
      pump.run(10)
      pump.disconnect(a, b)
      pump.disconnect(a, c)
      pump.run(1000)
      pump.heartbeats()
      pump.run(2000)
      assert.deepEqual(c.texts, ['1'])
      assert.deepEqual(b.texts, ['1'])
    })

    it('finds out without heartbeats within the longest pause of anti-entropy', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      pump.losesGossip = () => true
      a.publish('1')
      pump.run(11_000)
      assert.deepEqual(b.texts, ['1'])
    })

    it('pulls from whoever sent the dependent before it asks the author', () => {
      const pump = new Pump()
      const [a, b, c] = trio(pump)
      pump.losesGossip = (from, to) => from === a && to === c
      a.publish('1')
      pump.run(5)
      b.publish('2')
      pump.run(1000)
      assert.deepEqual(c.texts, ['1', '2'])
      assert.equal(pump.sentBy(c, 'pull')[0]?.to, 'b')
      assert.deepEqual(c.of('gap')[0]?.ranges, [
        { author: a.peer, epoch: a.gossips()[0]?.header.epoch, from: 1, to: 1 },
      ])
    })

    it('delivers once what comes ten times and by three ways', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      a.publish('1')
      const [envelope] = a.gossips() as [Envelope]
      for (let i = 0; i < 10; i++) {
        push(b, a, envelope)
        b.tell({ type: 'gossiped', from: a.peer, envelope })
        pump.gossip(a, b, raw(envelope))
      }
      pump.run(100)
      assert.deepEqual(b.texts, ['1'])
      assert.ok(b.core.counts.refused.duplicate >= 10)
    })

    it('takes nothing that it did not ask for', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      pump.losesGossip = () => true
      a.publish('1')
      const supply: PacketBody = {
        type: 'supply',
        id: 2,
        envelopes: a.gossips(),
        headers: [],
        floors: [],
        delivered: [],
      }
      for (let id = 0; id < 50; id++) b.receive(a.peer, { ...supply, id })
      assert.deepEqual(b.texts, [])
    })

    it('fetches who is who when it does not know an author, and takes the message when it does', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      const stranger = made('stranger')
      a.tell({ type: 'member', peer: peer('stranger'), standing: 'alive', groups: [room] })
      push(a, b, stranger)
      assert.deepEqual(a.texts, ['x'])
      push(b, a, stranger)
      assert.deepEqual(b.texts, [])
      assert.deepEqual(b.requests.at(-1), { type: 'sync-members', peer: a.peer })
      assert.equal(b.core.counts.refused['unknown-author'], 1)
      const verdict = b.core.examine(roomId, raw(stranger))
      assert.equal(verdict.type, 'ignore')
      b.tell({ type: 'member', peer: peer('stranger'), standing: 'dead', groups: [] })
      pump.run(15_000)
      assert.deepEqual(b.texts, ['x'])
    })

    it('goes on with the rest of a supply when it does not know one of its authors', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      pump.losesGossip = () => true
      a.tell({ type: 'member', peer: peer('stranger'), standing: 'alive', groups: [room] })
      push(a, b, made('stranger'))
      a.publish('2')
      pump.run(15_000)
      // What a published names the stranger's: it waits for it.
      assert.deepEqual(b.texts, [])
      b.tell({ type: 'member', peer: peer('stranger'), standing: 'alive', groups: [] })
      pump.run(15_000)
      assert.deepEqual(b.texts, ['x', '2'])
    })

    it('refuses forged envelopes that come by the link, and says who sent them', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      const forged = { ...made('a'), signature: new Uint8Array(64) }
      push(b, a, forged)
      push(b, a, made('a', { group: hashA.slice(0, 32) }))
      push(b, a, made('a', { cluster: hashA.slice(0, 32) }))
      assert.deepEqual(
        b.of('misbehaved').map(({ reason }) => reason),
        ['bad-signature', 'other-group', 'other-group'],
      )
      assert.deepEqual(b.texts, [])
    })

    it('never delivers a wrong Lamport time, and counts it', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      b.tell({ type: 'member', peer: peer('liar'), standing: 'alive', groups: [room] })
      const first = made('liar', { lamport: 2 })
      push(b, a, first)
      push(b, a, nextOf(first))
      pump.run(200_000)
      assert.deepEqual(b.texts, [])
      assert.ok(b.core.counts.refused.lamport >= 1)
      b.publish('still')
      pump.run(10)
      assert.deepEqual(a.texts, ['still'])
    })
  })

  describe('pushing directly', () => {
    it('reaches members whom gossip does not show, at most six of them', () => {
      const pump = new Pump()
      const a = pump.add('a').join()
      const others = Array.from({ length: 9 }, (_, i) => pump.add(`m${i}`).join())
      pump.run(5000)
      pump.losesGossip = () => true
      for (const [at, other] of others.entries()) {
        if (at > 0) a.tell({ type: 'subscription', peer: other.peer, group: roomId, subscribed: false })
      }
      a.publish('1')
      const pushes = pump.sentBy(a, 'push')
      assert.equal(pushes.length, 6)
      assert.equal(new Set(pushes.map(({ to }) => to)).size, 6)
      assert.ok(pushes.every(({ to }) => to !== 'm0'))
      pump.run(5)
      assert.equal(others.filter(({ texts }) => texts.length === 1).length, 6)
      // Who got one does not pass it on.
      assert.ok(others.every((other) => pump.sentBy(other, 'push').length === 0))
    })

    it('stops when gossip shows them', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      a.tell({ type: 'subscription', peer: b.peer, group: roomId, subscribed: false })
      a.publish('1')
      a.tell({ type: 'subscription', peer: b.peer, group: roomId, subscribed: true })
      a.publish('2')
      assert.equal(pump.sentBy(a, 'push').length, 1)
    })
  })

  describe('keeping', () => {
    it('truncates by time', () => {
      const pump = new Pump()
      const [a] = pump.pair({ config: { retentionMs: 10_000 } })
      a.publish('1')
      pump.run(5000)
      a.publish('2')
      pump.run(6000)
      assert.deepEqual(a.core.bounds(room), { first: 2, last: 2 })
      assert.deepEqual(
        a.core.read(room, 0, 10).map(({ index }) => index),
        [2],
      )
      pump.run(10_000)
      assert.deepEqual(a.core.bounds(room), { first: 3, last: 2 })
      assert.equal([...a.disk.keys()].filter((key) => key.startsWith('own/')).length, 0)
      a.publish('3')
      assert.deepEqual(a.core.vectorOf(room, 3)?.vector, a.core.vector(room))
    })

    it('truncates by bytes', () => {
      const pump = new Pump()
      const retentionBytes = 100_000
      const [a, b] = pump.pair({ config: { retentionBytes } })
      const payload = new Uint8Array(10_000)
      for (let i = 0; i < 30; i++) a.publishBytes(payload)
      pump.run(100)
      for (const node of [a, b]) {
        const [figures] = node.core.groups()
        assert.ok((figures?.logBytes ?? 0) <= retentionBytes)
        assert.ok((figures?.logMessages ?? 0) >= 8)
        assert.equal(figures?.delivered, 30)
      }
      assert.ok([...a.disk.keys()].filter((key) => key.startsWith('own/')).length < 10)
    })

    it('reports what nobody can serve any more, with its ranges, and goes on', () => {
      const pump = new Pump()
      const config = { retentionMs: 5000, truncateAfterMs: 2000 }
      const [a, b, c] = trio(pump, { config })
      a.publish('0')
      pump.run(10)
      pump.disconnect(a, c)
      pump.disconnect(b, c)
      for (let i = 1; i <= 4; i++) a.publish(`${i}`)
      b.publish('b')
      pump.run(20_000)
      pump.connect(a, c)
      pump.connect(b, c)
      a.publish('5')
      pump.run(30_000)
      const [{ ranges } = { ranges: [] }] = c.of('history-truncated')
      const epoch = a.gossips()[0]?.header.epoch ?? 0
      assert.deepEqual(
        [...ranges].sort((x, y) => x.to - y.to),
        [
          { author: b.peer, epoch, from: 1, to: 1 },
          { author: a.peer, epoch, from: 2, to: 5 },
        ],
      )
      assert.equal(c.of('history-truncated').length, 1)
      assert.deepEqual(c.texts, ['0', '5'])
      assert.deepEqual([...c.core.vector(room)].sort(), [...a.core.vector(room)].sort())
      c.publish('6')
      pump.run(100)
      assert.equal(a.texts.at(-1), '6')
    })

    it('takes no snapshot that does not fit together or is not signed', () => {
      type Baseline = Extract<PacketBody, { type: 'baseline' }>
      const last = made('nobody', { epoch: 3, seq: 4, previous: hashA, lamport: 9 })
      const dot = { ...dotOf(last), hash: '' }
      const nothing = { entries: [], delivered: [], frontier: [] }
      const whole = { entries: [last], delivered: [dot], frontier: [] }
      const liars: ((body: Baseline) => Baseline)[] = [
        (body) => ({ ...body, ...whole, delivered: [] }),
        (body) => ({ ...body, ...whole, entries: [last, last] }),
        (body) => ({ ...body, ...whole, frontier: [{ ...dot, seq: 3, below: [], exact: true }] }),
        (body) => ({ ...body, ...whole, entries: [{ ...last, signature: new Uint8Array(64) }] }),
        (body) => ({ ...body, ...whole, entries: [made('nobody', { group: hashA.slice(0, 32) })] }),
      ]
      for (const lie of liars) {
        const pump = new Pump()
        const config = { truncateAfterMs: 1000 }
        const [a, b] = pump.pair({ config })
        b.tell({ type: 'member', peer: peer('nobody'), standing: 'alive', groups: [] })
        // a says that it has what never was, below its log.
        pump.spoils = ({ from, body }) => {
          if (from !== 'a') return body
          if (body.type === 'supply') return { ...body, floors: [dot], delivered: [dot] }
          if (body.type !== 'baseline') return body
          return body.last ? lie(body) : { ...body, ...nothing }
        }
        b.receive(a.peer, { type: 'vector', entries: [dot], reply: false })
        a.publish('1')
        pump.run(10_000)
        assert.ok(pump.sentBy(b, 'baseline-request').length > 0)
        b.publish('2')
        pump.run(10)
        assert.deepEqual(a.texts, ['1', '2'])
        assert.deepEqual(b.of('history-truncated'), [])
        assert.ok(b.of('misbehaved').length > 0)
      }
    })
  })

  describe('what cannot be delivered', () => {
    it('gives up its payload after a while, says so, and is fetched again when the dependency appears', () => {
      const pump = new Pump()
      const [a, b] = pump.pair({ config: { holdBackMs: 10_000 } })
      for (const name of ['x', 'y']) {
        for (const node of [a, b]) {
          node.tell({ type: 'member', peer: peer(name), standing: 'alive', groups: [room] })
        }
      }
      const cause = made('x')
      const effect = made('y', { lamport: 2, dependencies: [dotOf(cause)] })
      const next = nextOf(effect)
      for (const envelope of [effect, next]) push(b, a, envelope)
      assert.equal(b.core.groups()[0]?.heldBack, 2)
      pump.run(9000)
      assert.equal(b.core.groups()[0]?.heldBack, 2)
      pump.run(10_000)
      assert.equal(b.core.groups()[0]?.heldBack, 0)
      assert.deepEqual(
        b.of('undeliverable').map(({ author, seq }) => [author, seq]),
        [
          [peer('y'), 1],
          [peer('y'), 2],
        ],
      )
      // It never came here in vain: a has it all.
      for (const envelope of [cause, effect, next]) push(a, b, envelope)
      assert.equal(a.texts.length, 3)
      push(b, a, cause)
      pump.run(3000)
      assert.equal(b.texts.length, 3)
    })

    it('costs a peer that names a million dots no more than it may hold, and nobody else anything', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      b.tell({ type: 'member', peer: peer('spammer'), standing: 'alive', groups: [room] })
      const dots = nobodys(1024)
      const sent = pump.sent.length
      for (let epoch = 1; epoch <= 200; epoch++) {
        push(
          b,
          a,
          made('spammer', { epoch, lamport: 9, dependencies: dots.map((dot) => ({ ...dot, epoch })) }),
        )
      }
      pump.run(5000)
      // The first pulls, and then ever more rarely.
      assert.ok(pump.sent.length - sent < 300, `${pump.sent.length - sent} frames`)
      pump.losesGossip = () => true
      a.publish('1')
      pump.heartbeats()
      pump.run(2000)
      assert.deepEqual(b.texts, ['1'])
      assert.ok((b.core.groups()[0]?.heldBytes ?? 0) <= 16 * 1024 * 1024)
    })

    it('does not silence a group with very many concurrent logs of one author', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      for (const node of [a, b]) {
        node.tell({ type: 'member', peer: peer('crowd'), standing: 'alive', groups: [room] })
      }
      for (let epoch = 1; epoch <= 300; epoch++) {
        const one = made('crowd', { epoch })
        push(a, b, one)
        push(b, a, one)
      }
      a.publish('1')
      b.publish('2')
      pump.run(15_000)
      assert.deepEqual([a.of('refused'), b.of('refused')], [[], []])
      for (const node of [a, b])
        assert.deepEqual(node.texts.filter((text) => text !== 'x').sort(), ['1', '2'])
      assert.ok(a.core.vector(room).size < 150)
      assert.deepEqual(a.core.vector(room), b.core.vector(room))
    })
  })

  it('names at most 1024 of more concurrent logs, and the rest with the next message', () => {
    const logs = Array.from({ length: 1030 }, (_, i) => made(`w${i}`))
    const frontier = logs.map((envelope) => ({ ...dotOf(envelope), below: [], exact: false }))
    const durable = new Map(
      logs.map((envelope) => [durableKeys.entry(roomId, envelope.entry), encodeEntry(envelope)]),
    )
    durable.set(durableKeys.group(room), encodeGroupState({ name: room, based: true, frontier }))
    const a = new Pump().add('a', { durable })
    assert.equal(a.core.frontier(room).length, 1030)
    a.publish('1')
    a.publish('2')
    const [first, second] = a.gossips() as [Envelope, Envelope]
    assert.deepEqual(
      [first, second].map(({ header }) => header.dependencies.length),
      [1024, 6],
    )
    assert.deepEqual([first.header.lamport, second.header.lamport], [2, 3])
    assert.equal(a.core.frontier(room).length, 1)
  })

  describe('that has an equivocator', () => {
    function forked(pump: Pump): { nodes: [Node, Node, Node]; left: Envelope; right: Envelope } {
      const nodes = trio(pump)
      for (const node of nodes) {
        node.tell({ type: 'member', peer: peer('liar'), standing: 'alive', groups: [room] })
      }
      return { nodes, left: made('liar', {}, 'left'), right: made('liar', {}, 'right') }
    }

    it('keeps and spreads the proof, reports it once, and delivers what honest members built on it', () => {
      const pump = new Pump()
      const {
        nodes: [a, b, c],
        left,
        right,
      } = forked(pump)
      push(a, c, left)
      push(b, c, right)
      a.publish('on left')
      pump.run(10)
      b.publish('on both')
      pump.run(3000)
      pump.heartbeats()
      pump.run(12_000)
      for (const node of [a, b, c]) {
        assert.equal(node.of('equivocation').length, 1, node.name)
        const [fork] = node.core.forks()
        assert.equal(fork?.author, peer('liar'))
        assert.deepEqual(new Set(fork.hashes), new Set([left.hash, right.hash]))
        assert.deepEqual(
          node.texts.filter((text) => text.startsWith('on')),
          ['on left', 'on both'],
        )
        assert.equal(node.texts.filter((text) => !text.startsWith('on')).length, 1)
        assert.ok([...node.disk.keys()].some((key) => key.startsWith('proof/')))
      }
      const tails = [a, b, c].map((node) => node.core.tails(node === a ? b.peer : a.peer)[0]?.digest)
      assert.equal(new Set(tails).size, 1)
      const frames = pump.sent.length
      pump.heartbeats()
      pump.run(1000)
      assert.ok(pump.sent.length - frames < 20, 'nothing differs, and still they talk')
    })

    it('takes no proof that proves nothing', () => {
      const pump = new Pump()
      const {
        nodes: [a, b],
        left,
        right,
      } = forked(pump)
      const unsigned = { ...right, signature: new Uint8Array(64) }
      const bad = [
        { first: left, second: left },
        { first: left, second: unsigned },
        { first: unsigned, second: left },
        { first: left, second: nextOf(left) },
        { first: left, second: made('other', {}, 'right') },
        { first: made('liar', { group: hashA.slice(0, 32) }), second: right },
      ]
      for (const proof of bad) b.receive(a.peer, { type: 'proofs', proofs: [proof] })
      assert.equal(b.of('misbehaved').length, bad.length)
      assert.deepEqual(b.core.forks(), [])
      b.receive(a.peer, { type: 'proofs', proofs: [{ first: left, second: right }] })
      assert.equal(b.core.forks().length, 1)
    })

    it('remembers the proof over a restart', () => {
      const pump = new Pump()
      const {
        nodes: [a, b, c],
        left,
        right,
      } = forked(pump)
      push(a, b, left)
      push(a, b, right)
      pump.run(100)
      pump.kill(b)
      pump.kill(c)
      const again = pump.restart(a)
      again.tell({ type: 'member', peer: peer('liar'), standing: 'alive', groups: [room] })
      pump.run(10)
      assert.equal(again.core.forks().length, 1)
      push(again, again, nextOf(left))
      assert.deepEqual(again.texts, [])
    })
  })

  it('treats whom the operator denies like an outcast, and takes it back', () => {
    const pump = new Pump()
    const [a, b, c] = trio(pump)
    c.tell({ type: 'deny', peer: a.peer, denied: true })
    a.publish('a1')
    pump.run(100)
    assert.deepEqual(c.texts, [])
    a.publish('a2')
    b.publish('b1')
    pump.run(1000)
    const withoutA2 = b.gossips()[0]?.header.dependencies[0]?.seq === 1
    assert.deepEqual(c.texts, withoutA2 ? ['a1', 'b1'] : ['a1', 'a2', 'b1'])
    c.tell({ type: 'deny', peer: a.peer, denied: false })
    pump.run(12_000)
    assert.deepEqual(c.texts.sort(), ['a1', 'a2', 'b1'])
    assert.deepEqual(c.core.forks(), [])
  })
})

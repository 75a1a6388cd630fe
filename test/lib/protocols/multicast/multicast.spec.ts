import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ascii } from '../../../../lib/protocols/bytes.ts'
import { dotOf, dotText, groupIdOf } from '../../../../lib/protocols/multicast/dots.ts'
import { sealEnvelope } from '../../../../lib/protocols/multicast/envelope.ts'
import type { StampingClock } from '../../../../lib/protocols/multicast/init.ts'
import type { Envelope } from '../../../../lib/protocols/multicast/messages.ts'
import { type Node, Pump, room, roomId } from './pump.ts'
import { cluster, cryptoOf, keyOf, peer, sha256 } from './sealing.ts'

type Vector = ReadonlyMap<string, number>

/** Vectors of all envelopes, each as the merge of its parents' whole maps. */
function vectorsOf(envelopes: Iterable<Envelope>): Map<string, Vector> {
  const byDot = new Map<string, Envelope>()
  for (const envelope of envelopes) byDot.set(dotText(dotOf(envelope)), envelope)
  const vectors = new Map<string, Vector>()
  const vectorOf = (text: string): Vector => {
    const known = vectors.get(text)
    if (known !== undefined) return known
    const { header, authorKey, last } = byDot.get(text) as Envelope
    const { dependencies, old, epoch, seq } = header
    const own = seq > 1 ? [{ author: authorKey, epoch, seq: seq - 1 }] : old === undefined ? [] : [old]
    const vector = new Map<string, number>()
    for (const dot of [...own, ...dependencies]) {
      for (const [key, value] of vectorOf(dotText(dot)))
        vector.set(key, Math.max(value, vector.get(key) ?? 0))
    }
    vector.set(`${header.author}#${epoch}`, last)
    vectors.set(text, vector)
    return vector
  }
  for (const text of byDot.keys()) vectorOf(text)
  return vectors
}

function sorted(vector: Vector | undefined) {
  return [...(vector ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** What the disk of a member in `room` may hold, by kind. */
function kinds(node: Node): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const key of node.disk.keys()) {
    const [kind = ''] = key.split('/')
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

describe('multicast', () => {
  it('tells of each message its exact vector and its place, like an oracle over all of them', () => {
    const acts = fc.array(
      fc.record(
        { node: fc.nat(3), ms: fc.constantFrom(0, 0, 1, 30), restart: fc.boolean() },
        { noNullPrototype: true },
      ),
      { minLength: 5, maxLength: 25 },
    )
    fc.assert(
      fc.property(acts, (list) => {
        const pump = new Pump()
        const nodes = ['a', 'b', 'c', 'd'].map((name) => pump.add(name).join())
        pump.run(3000)
        const all: Envelope[] = []
        let restarts = 0
        for (const { node: at, ms, restart } of list) {
          if (restart && restarts < 2) {
            restarts += 1
            nodes[at] = pump.restart(nodes[at] as Node)
          }
          const node = nodes[at] as Node
          node.publish(`${all.length}`)
          all.push(...node.gossips().slice(-1))
          pump.run(ms)
        }
        pump.run(100)
        pump.heartbeats()
        pump.run(15_000)
        const vectors = vectorsOf(all)
        for (const { core, name } of nodes) {
          assert.deepEqual(sorted(core.vector(room)), sorted(nodes[0]?.core.vector(room)), name)
          const { first, last } = core.bounds(room)
          const messages = core.read(room, first - 1, 1000)
          assert.deepEqual(
            messages.map(({ index }) => index),
            Array.from({ length: last - first + 1 }, (_, i) => first + i),
          )
          for (const { index, envelope } of messages) {
            const told = core.vectorOf(room, index)
            const truth = vectors.get(dotText(dotOf(envelope)))
            if (told?.exact === true) assert.deepEqual(sorted(told.vector), sorted(truth))
            else for (const [key, seq] of told?.vector ?? []) assert.ok(seq <= (truth?.get(key) ?? 0))
          }
          assert.equal(core.vectorOf(room, last + 1), undefined)
        }
        assert.equal(nodes.flatMap((node) => node.of('equivocation')).length, 0)
      }),
      { numRuns: 25 },
    )
  })

  it('keeps groups apart', () => {
    const pump = new Pump()
    const [a, b] = [pump.add('a'), pump.add('b')]
    for (const node of [a, b]) node.join('x').join('y')
    pump.run(5000)
    a.publish('to x', 'x')
    b.publish('to y', 'y')
    pump.run(100)
    for (const { core } of [a, b]) {
      assert.deepEqual([core.vector('x').size, core.vector('y').size], [1, 1])
      assert.deepEqual(
        core.groups().map(({ name, delivered }) => [name, delivered]),
        [
          ['x', 1],
          ['y', 1],
        ],
      )
      assert.deepEqual(
        core.read('x', 0, 9).map(({ payload }) => new TextDecoder().decode(payload)),
        ['to x'],
      )
    }
    // The tail of each group that both are in.
    assert.equal(a.core.tails(b.peer).length, 2)
    b.tell({ type: 'leave', name: 'y' })
    pump.run(5)
    assert.equal(a.core.tails(b.peer).length, 1)
    assert.deepEqual(a.core.counts.delivered, 2)
  })

  it('subscribes, names its groups in order, and lets go of both', () => {
    const a = new Pump().add('a').join('b').join('a').join('a')
    assert.deepEqual(
      a.requests.map((request) => ('groups' in request ? request.groups : request.type)),
      ['subscribe', ['b'], 'subscribe', ['a', 'b']],
    )
    a.requests.length = 0
    a.tell({ type: 'leave', name: 'b' }).tell({ type: 'leave', name: 'b' })
    assert.deepEqual(a.requests, [
      { type: 'unsubscribe', group: groupIdOf('b', sha256) },
      { type: 'regroup', groups: ['a'] },
    ])
  })

  it('refuses to publish in a group that it is not in, and throws for a payload above the limit', () => {
    const a = new Pump().add('a')
    a.publish('1')
    assert.deepEqual(a.events, [{ type: 'refused', token: 1, code: 'ERR_GROUP_LEFT' }])
    a.join()
    assert.throws(() => a.publishBytes(new Uint8Array(1024 * 1024 + 1)))
    a.publishBytes(new Uint8Array(1024 * 1024))
    assert.equal(a.of('published').length, 1)
  })

  it('is in at most 256 groups', () => {
    const a = new Pump().add('a')
    for (let i = 0; i < 256; i++) a.join(`g${i}`)
    assert.throws(() => a.join('one more'))
  })

  it('stamps with the clock it is given, with the ceiling on the disk first, and lets it observe deliveries', () => {
    const observed: unknown[] = []
    const clock: StampingClock = {
      stamp: ({ wall }) => ({ stamp: { ms: wall, counter: 3 }, ceiling: Uint8Array.of(9) }),
      observe: (from, lamport, stamp) => void observed.push([from, lamport, stamp?.counter]),
    }
    const pump = new Pump()
    const a = pump.add('a', { clock }).join()
    a.publish('1')
    assert.deepEqual(a.gossips()[0]?.header.hybrid, { ms: 1_785_000_001_000, counter: 3 })
    assert.deepEqual(observed, [[a.peer, 1, 3]])
    const at = (kind: string) => a.writes.findIndex(([key]) => key.startsWith(kind))
    assert.ok(at('clock') >= 0 && at('clock') < at('own/'))
  })

  it('has an own message on the disk before it tells of it', () => {
    const pump = new Pump()
    const [a] = pump.pair()
    const effects = a.core.step(
      { type: 'publish', name: room, payload: ascii('1'), token: 1 },
      { monotonic: pump.now, wall: 0 },
    )
    const types = effects.map(({ type }) => type)
    assert.ok(types.includes('persist') && types.includes('gossip'))
    assert.ok(types.lastIndexOf('persist') < types.indexOf('emit'))
  })

  describe('leaving', () => {
    it('deletes all that was kept of the group, and of no other', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      a.join('other')
      pump.run(1000)
      a.publish('1')
      b.publish('2')
      pump.run(10)
      a.publish('3', 'other')
      const liar = peer('liar')
      a.tell({ type: 'member', peer: liar, standing: 'alive', groups: [] })
      const plain = {
        cluster,
        group: roomId,
        author: liar,
        epoch: 5,
        seq: 1,
        previous: undefined,
        lamport: 1,
        hybrid: undefined,
        dependencies: [],
        old: undefined,
      }
      const [first, second] = ['1', '2'].map((text) =>
        sealEnvelope(plain, [ascii(text)], cryptoOf(liar)),
      ) as [Envelope, Envelope]
      a.receive(b.peer, { type: 'proofs', proofs: [{ first, second }] })
      a.receive(b.peer, { type: 'push', envelope: first })
      assert.deepEqual(kinds(a), { group: 2, entry: 3, own: 2, proof: 1 })
      a.tell({ type: 'leave', name: room })
      assert.deepEqual(kinds(a), { group: 1, entry: 1, own: 1 })
      assert.ok([...a.disk.keys()].every((key) => !key.includes(roomId)))
      a.publish('4')
      assert.equal(a.of('refused').at(-1)?.code, 'ERR_GROUP_LEFT')
      pump.run(100_000)
      assert.deepEqual(kinds(a), { group: 1, entry: 1, own: 1 })
    })

    it('also deletes what was kept for others after a restart', () => {
      const pump = new Pump()
      const [a] = pump.pair()
      a.publish('1')
      const again = pump.restart(a)
      assert.equal(kinds(again).own, 1)
      again.tell({ type: 'leave', name: room })
      assert.deepEqual(kinds(again), {})
    })

    it('refuses what still waits', () => {
      const pump = new Pump()
      pump.pair()
      pump.loses = () => true
      const c = pump.add('c').join()
      const token = c.publish('1')
      c.tell({ type: 'leave', name: room })
      assert.deepEqual(c.events, [{ type: 'refused', token, code: 'ERR_GROUP_LEFT' }])
    })

    it('uses no dot again after joining once more in the same life', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      const c = pump.add('c').join()
      pump.run(1000)
      pump.losesGossip = (_, to) => to === b
      a.publish('1')
      pump.run(5)
      a.tell({ type: 'leave', name: room })
      pump.run(1)
      pump.disconnect(a, c)
      a.join()
      a.publish('2')
      pump.run(20_000)
      pump.connect(a, c)
      pump.run(20_000)
      for (const node of [a, b, c]) {
        assert.deepEqual(node.of('equivocation'), [])
        assert.ok(node.texts.includes('2'), node.name)
      }
      assert.notEqual(a.gossips()[0]?.header.epoch, a.gossips()[1]?.header.epoch)
      assert.deepEqual(sorted(b.core.vector(room)), sorted(c.core.vector(room)))
    })
  })

  describe('returning', () => {
    it('delivers what it missed and no more, at once ready, without a baseline', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      a.publish('1')
      b.publish('2')
      pump.run(10)
      pump.kill(b)
      for (let i = 3; i <= 6; i++) a.publish(`${i}`)
      pump.run(1000)
      const again = pump.restart(b)
      assert.deepEqual(again.events[0], { type: 'ready', name: room, index: 0 })
      pump.run(1000)
      assert.deepEqual(again.texts, ['3', '4', '5', '6'])
      assert.deepEqual(
        again.of('delivered').map(({ index }) => index),
        [1, 2, 3, 4],
      )
      assert.equal(pump.sentBy(b, 'baseline-request').filter(({ at }) => at > 2500).length, 0)
      assert.deepEqual(sorted(again.core.vector(room)), sorted(a.core.vector(room)))
    })

    it('names its last own dot, in a new epoch, and what it had delivered', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      a.publish('1')
      pump.run(10)
      b.publish('2')
      b.publish('3')
      pump.run(10)
      const before = b.gossips().at(-1) as Envelope
      const again = pump.restart(b)
      again.publish('4')
      pump.run(1000)
      const { header } = again.gossips()[0] as Envelope
      assert.deepEqual(header.old, dotOf(before))
      assert.equal(header.previous, before.hash)
      assert.deepEqual([header.seq, header.lamport, header.dependencies], [1, before.lastLamport + 1, []])
      assert.deepEqual(a.texts, ['1', '2', '3', '4'])
      again.publish('5')
      assert.equal(again.gossips()[1]?.header.seq, 2)
    })

    it('goes on when it is told another generation in one life', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      b.publish('1')
      pump.run(10)
      b.tell({ type: 'epoch', epoch: 1_785_000_000_777 })
      b.publish('2')
      pump.run(10)
      assert.deepEqual(a.texts, ['1', '2'])
      assert.equal(b.gossips()[1]?.header.old?.seq, 1)
    })

    it('serves its old messages to those who lack them', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      pump.losesGossip = () => true
      b.publish('1')
      b.publish('2')
      pump.run(10)
      const again = pump.restart(b)
      pump.run(3000)
      assert.deepEqual(a.texts, ['1', '2'])
      // For as long as the log would have kept them.
      pump.run(700_000)
      assert.equal(kinds(again).own, undefined)
    })

    it('delivers to itself an own message that it had lost and others have', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      b.publish('1')
      pump.run(10)
      const backup = new Map(b.disk)
      b.publish('lost')
      pump.run(10)
      pump.kill(b)
      const again = pump.add('b', { durable: backup, epoch: 1_785_000_009_999 })
      again.publish('2')
      pump.run(15_000)
      assert.deepEqual(again.texts.sort(), ['2', 'lost'])
      assert.deepEqual(a.texts, ['1', 'lost', '2'])
      assert.equal(again.gossips()[0]?.header.old?.seq, 1)
      for (const node of [a, again]) assert.deepEqual(node.of('equivocation'), [])
      again.publish('3')
      pump.run(100)
      assert.deepEqual(sorted(again.core.vector(room)), sorted(a.core.vector(room)))
      // Both of the maximal dots are named: 2 as the predecessor, the lost one as a dependency.
      assert.equal(again.gossips()[1]?.header.dependencies.length, 1)
    })

    it('begins again with a baseline when it went down while joining', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      a.publish('1')
      pump.run(10)
      pump.loses = ({ body }) => body.type === 'supply'
      const c = pump.add('c').join()
      pump.run(100)
      assert.equal(c.ready, false)
      pump.loses = () => false
      const again = pump.restart(c)
      pump.run(10_000)
      assert.equal(again.of('ready')[0]?.index, 1)
      assert.deepEqual(again.texts, [])
      assert.deepEqual(sorted(again.core.vector(room)), sorted(b.core.vector(room)))
    })

    it('can publish and catch up after a crash behind any step', () => {
      const pump = new Pump()
      const [a, b] = pump.pair()
      const c = pump.add('c').join()
      pump.run(1000)
      pump.losesGossip = () => pump.random() < 0.3
      for (let i = 0; i < 8; i++) {
        for (const node of [a, b, c]) if (pump.random() < 0.7) node.publish(`${node.name}${i}`)
        pump.run(pump.random() < 0.5 ? 1 : 300)
      }
      pump.run(20_000)
      pump.losesGossip = () => false
      for (let step = 0; step < c.steps.length; step += 3) {
        const later = new Pump()
        const giver = later.add('a', { durable: a.disk, epoch: 1_785_000_001_000 })
        const crashed = later.add('c', { durable: c.diskAfter(step), epoch: 1_785_000_001_000 + step })
        crashed.tell({ type: 'member', peer: b.peer, standing: 'dead', groups: [] })
        if (kinds(crashed).group === undefined) crashed.join()
        crashed.publish('again')
        later.run(30_000)
        assert.ok(giver.texts.includes('again'), `after step ${step}`)
        assert.deepEqual(crashed.of('equivocation'), [])
        assert.deepEqual(
          crashed.core.frontier(room).map(dotText),
          giver.core.frontier(room).map(dotText),
          `after step ${step}`,
        )
      }
    })

    it('keeps nobody else among its own messages', () => {
      // Somebody names the next own dot in advance: he is delivered in the step of publishing.
      const pump = new Pump()
      const [a, b] = pump.pair()
      const epoch = 1_785_000_000_000
      const [mallory] = [peer('mallory')]
      a.tell({ type: 'member', peer: mallory, standing: 'alive', groups: [room] })
      const envelope = sealEnvelope(
        {
          cluster,
          group: roomId,
          author: mallory,
          epoch,
          seq: 1,
          previous: undefined,
          lamport: 2,
          hybrid: undefined,
          dependencies: [{ author: keyOf(a.peer), epoch, seq: 1 }],
          old: undefined,
        },
        [ascii('first!')],
        cryptoOf(mallory),
      )
      a.receive(b.peer, { type: 'push', envelope })
      assert.deepEqual(a.texts, [])
      a.publish('1')
      assert.deepEqual(a.texts, ['1', 'first!'])
      assert.equal(kinds(a).own, 1)
      pump.kill(b)
      const again = pump.restart(a)
      assert.equal(kinds(again).own, 1)
    })
  })
})

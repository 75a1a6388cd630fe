import assert from 'node:assert/strict'
import { dotText } from '../../../../lib/protocols/multicast/dots.ts'
import type { Envelope, PacketBody } from '../../../../lib/protocols/multicast/messages.ts'
import { type Node, Pump, room } from './pump.ts'
import { keyOf, peer, sealed } from './sealing.ts'

type Baseline = Extract<PacketBody, { type: 'baseline' }>

function types(node: Node): string[] {
  return node.events.map(({ type }) => type)
}

/** Everybody has everything, in one vector. */
function assertAgree(...nodes: Node[]): void {
  const [first, ...others] = nodes.map(({ core }) => [...core.vector(room)].sort())
  for (const other of others) assert.deepEqual(other, first)
}

describe('joining a group', () => {
  it('alone founds it at once', () => {
    const a = new Pump().add('a').join()
    assert.deepEqual(a.events, [{ type: 'ready', name: room, index: 0 }])
    a.publish('1')
    assert.deepEqual(a.texts, ['1'])
  })

  it('beside others that are not in it founds it after a moment', () => {
    const pump = new Pump()
    const [a, b] = [pump.add('a'), pump.add('b')]
    a.join()
    assert.equal(a.ready, false)
    pump.run(500)
    assert.deepEqual(a.events, [{ type: 'ready', name: room, index: 0 }])
    assert.deepEqual(b.events, [])
  })

  it('copies what others have without delivering it, and says ready before anything is delivered', () => {
    const pump = new Pump()
    const [a, b] = pump.pair()
    for (let i = 0; i < 30; i++) (i % 2 === 0 ? a : b).publish(`${i}`)
    pump.run(100)
    const c = pump.add('c').join()
    a.publish('while c joins')
    pump.until(() => c.ready)
    a.publish('after')
    pump.run(1000)
    assert.equal(types(c)[0], 'ready')
    const index = c.of('ready')[0]?.index ?? 0
    assert.ok(index >= 30)
    assert.equal(c.core.read(room, 0, 100).length, 32)
    assert.deepEqual(
      c.of('delivered').map((event) => event.index),
      Array.from({ length: 32 - index }, (_, i) => index + 1 + i),
    )
    assertAgree(a, b, c)
    // It names what it copied, so it can serve it.
    const d = pump.add('d')
    pump.disconnect(d, a)
    pump.disconnect(d, b)
    d.join()
    pump.until(() => d.ready)
    assertAgree(a, d)
  })

  it('stands on what the giver has below its log, and is told its frontier and vectors', () => {
    const pump = new Pump()
    const [a, b] = pump.pair({ config: { retentionBytes: 4000 } })
    for (let i = 0; i < 30; i++) (i % 3 === 0 ? a : b).publish(`${i}`)
    pump.run(100)
    assert.ok(a.core.bounds(room).first > 10)
    const c = pump.add('c').join()
    pump.until(() => c.ready)
    pump.run(100)
    assertAgree(a, b, c)
    assert.deepEqual(c.core.frontier(room).map(dotText), a.core.frontier(room).map(dotText))
    c.publish('c')
    pump.run(100)
    for (const node of [a, b, c]) assert.ok(node.texts.includes('c'))
    const vector = c.core.vectorOf(room, c.core.bounds(room).last)
    assert.equal(vector?.exact, true)
    assert.deepEqual([...vector.vector].sort(), [...c.core.vector(room)].sort())
  })

  it('keeps what is published meanwhile, and publishes it in order', () => {
    const pump = new Pump()
    const [a, b] = pump.pair()
    a.publish('before')
    pump.run(10)
    const c = pump.add('c').join()
    const tokens = [c.publish('1'), c.publish('2')]
    assert.deepEqual(c.of('published'), [])
    pump.run(1000)
    assert.deepEqual(
      c.of('published').map(({ token }) => token),
      tokens,
    )
    assert.deepEqual(a.texts.slice(-2), ['1', '2'])
    assert.ok(b.texts.length === 3)
    // Publishing waits for the copies: it follows what was there before.
    assert.equal(c.of('published')[0]?.envelope.header.lamport, 2)
  })

  it('bounds what is kept meanwhile', () => {
    const pump = new Pump()
    const [a] = pump.pair()
    a.publish('1')
    pump.loses = ({ body }) => body.type === 'baseline'
    const c = pump.add('c').join()
    for (let i = 0; i < 1030; i++) c.publish('x')
    assert.deepEqual(
      c.of('refused').map(({ code }) => code),
      Array.from({ length: 6 }, () => 'ERR_WOULD_BLOCK'),
    )
    const d = pump.add('d').join()
    const megabyte = new Uint8Array(1024 * 1024)
    for (let i = 0; i < 18; i++) d.publishBytes(megabyte)
    assert.equal(d.of('refused').length, 2)
  })

  it('publishes nothing before there is an epoch', () => {
    const pump = new Pump()
    const a = pump.addApart('a').join()
    a.tell({ type: 'settled' })
    pump.run(1000)
    assert.equal(a.ready, true)
    a.publish('1')
    pump.run(100)
    assert.deepEqual(types(a), ['ready'])
    a.tell({ type: 'epoch', epoch: 7 })
    assert.deepEqual(a.texts, ['1'])
    assert.equal(a.gossips()[0]?.header.epoch, 7)
  })

  it('waits until it is settled who is in the group', () => {
    const pump = new Pump()
    const a = pump.addApart('a').join()
    a.tell({ type: 'epoch', epoch: 7 })
    pump.run(60_000)
    assert.equal(a.ready, false)
    a.tell({ type: 'settled' })
    pump.run(1000)
    assert.equal(a.ready, true)
  })

  it('founds it together with another that joins at the same time', () => {
    const pump = new Pump()
    const [a, b, c] = ['a', 'b', 'c'].map((name) => pump.add(name)) as [Node, Node, Node]
    for (const node of [a, b, c]) node.join()
    for (const node of [a, b, c]) node.publish(node.name)
    pump.run(5000)
    assertAgree(a, b, c)
    for (const node of [a, b, c]) assert.deepEqual(node.texts.sort(), ['a', 'b', 'c'])
  })

  it('goes to the next giver when one is silent, says none, is lost, or lies', () => {
    const spoils: Record<string, (body: Baseline) => Baseline | undefined> = {
      silent: () => undefined,
      none: (body) => ({ ...body, none: true }),
      signature: (body) => ({
        ...body,
        entries: body.entries.map((header) => ({ ...header, signature: new Uint8Array(64) })),
      }),
      group: (body) => ({ ...body, entries: [sealed()] }),
      frontier: (body) => ({ ...body, frontier: body.frontier.map((dot) => ({ ...dot, seq: dot.seq + 1 })) }),
      // The log's last header, and an older one on which the frontier stands.
      twice: (body) => ({
        ...body,
        entries: [...body.entries, ...older],
        frontier: body.frontier.map((dot) => ({ ...dot, seq: 1 })),
      }),
      below: (body) => ({ ...body, delivered: body.delivered.map((dot) => ({ ...dot, seq: 1 })) }),
    }
    let older: Envelope[] = []
    for (const [how, spoil] of Object.entries(spoils)) {
      const pump = new Pump()
      const [a, b] = pump.pair({ config: { retentionBytes: 2000 } })
      for (let i = 0; i < 20; i++) a.publish(`${i}`)
      pump.run(100)
      older = a.gossips().slice(0, 1)
      pump.spoils = (sent) => {
        if (sent.from !== 'a' || sent.body.type !== 'baseline') return sent.body
        return spoil(sent.body)
      }
      const c = pump.add('c')
      pump.disconnect(b, c)
      c.join()
      pump.run(100)
      pump.connect(b, c)
      pump.run(10_000)
      assert.ok(c.ready, how)
      assertAgree(b, c)
      c.publish('c')
      pump.run(100)
      assert.ok(b.texts.includes('c'), how)
      const asked = pump.sentBy(c, 'baseline-request').filter(({ body }) => !body.done)
      assert.deepEqual(
        asked.map(({ to }) => to),
        ['a', 'b'],
        how,
      )
      const blamed = ['silent', 'none'].includes(how) ? [] : [a.peer]
      assert.deepEqual(
        c.of('misbehaved').map(({ peer: liar }) => liar),
        blamed,
        how,
      )
    }
  })

  it('takes no baseline that it did not ask for', () => {
    const pump = new Pump()
    const [a] = pump.pair()
    a.publish('1')
    pump.run(10)
    const body: Baseline = {
      type: 'baseline',
      id: 1,
      none: false,
      entries: [],
      frontier: [],
      delivered: [{ author: 'aa'.repeat(12) as never, epoch: 1, seq: 1000, hash: '' }],
      last: true,
    }
    const c = pump.addApart('c').join()
    c.tell({ type: 'epoch', epoch: 9 })
    c.receive(a.peer, body)
    c.tell({ type: 'settled' })
    c.receive(a.peer, { ...body, id: 5 })
    pump.run(1000)
    assert.deepEqual(types(c), ['ready'])
    c.receive(a.peer, body)
    assert.deepEqual([...c.core.vector(room)], [])
  })

  it('goes on from others when the giver dies in mid-copy', () => {
    const pump = new Pump()
    const [a, b] = pump.pair()
    for (let i = 0; i < 600; i++) (i % 2 === 0 ? a : b).publish(`${i}`)
    pump.run(1000)
    const c = pump.add('c').join()
    const isCopying = () => pump.sent.some(({ to, body }) => to === 'c' && body.type === 'supply')
    pump.until(isCopying)
    const giver = pump.sentBy(c, 'baseline-request')[0]?.to === 'a' ? a : b
    pump.kill(giver)
    pump.run(20_000)
    assert.ok(c.ready)
    assertAgree(giver === a ? b : a, c)
    assert.deepEqual(c.of('history-truncated'), [])
  })

  it('does not wait for what died with the giver', () => {
    const pump = new Pump()
    const [a, b] = pump.pair()
    b.publish('1')
    pump.run(10)
    pump.losesGossip = () => true
    a.publish('only a has this')
    const c = pump.add('c')
    pump.disconnect(b, c)
    pump.loses = ({ body }) => body.type === 'supply'
    c.join()
    c.publish('3')
    pump.run(10)
    assert.equal(pump.sentBy(c, 'baseline-request')[0]?.to, 'a')
    pump.kill(a)
    pump.loses = () => false
    pump.losesGossip = () => false
    pump.connect(b, c)
    pump.run(60_000)
    assert.ok(c.ready)
    assert.deepEqual(b.texts, ['1', '3'])
    assertAgree(b, c)
  })

  it('goes on alone with what it has copied when everybody else is gone', () => {
    const pump = new Pump()
    const a = pump.add('a').join()
    for (let i = 0; i < 300; i++) a.publish(`${i}`)
    const c = pump.add('c')
    pump.run(10)
    c.join()
    c.publish('c')
    pump.until(() => c.core.vector(room).size > 0)
    assert.equal(c.ready, false)
    pump.kill(a)
    pump.run(20_000)
    assert.ok(c.ready)
    assert.deepEqual(c.texts, ['c'])
    const index = c.of('ready')[0]?.index ?? 0
    assert.ok(index > 0 && index < 300)
    // What it could not copy is delivered after all when the other one returns.
    const again = pump.restart(a)
    pump.run(20_000)
    assert.equal(c.texts.length, 1 + 300 - index)
    assertAgree(again, c)
  })

  it('does not wait for what a giver made up', () => {
    const pump = new Pump()
    const [a, b] = pump.pair()
    b.publish('1')
    pump.run(10)
    const dot = { author: keyOf(peer('nobody')), epoch: 1, seq: 7, hash: '' }
    pump.spoils = ({ from, body }) =>
      from === 'a' && body.type === 'baseline' ? { ...body, delivered: [...body.delivered, dot] } : body
    const c = pump.add('c')
    pump.disconnect(b, c)
    c.join()
    pump.run(100)
    pump.connect(b, c)
    c.publish('2')
    pump.run(120_000)
    assert.ok(c.ready)
    assert.deepEqual(a.texts, ['1', '2'])
  })

  it('begins again when what it still had to copy is gone everywhere', () => {
    const pump = new Pump()
    const config = { retentionMs: 3000, pinMs: 1, truncateAfterMs: 1000 }
    const [a, b] = pump.pair({ config })
    a.publish('1')
    b.publish('2')
    pump.run(10)
    pump.loses = ({ body }) => body.type === 'supply'
    const c = pump.add('c', { config }).join()
    pump.run(6000)
    assert.equal(c.ready, false)
    assert.equal(a.core.bounds(room).first, 3)
    pump.loses = () => false
    pump.run(30_000)
    assert.ok(c.ready)
    assertAgree(a, b, c)
    assert.deepEqual(c.of('history-truncated'), [])
    c.publish('3')
    pump.run(100)
    assert.deepEqual(a.texts.at(-1), '3')
  })

  it('is remembered by the giver until it has everything, and no longer', () => {
    const pump = new Pump()
    const [a, b] = pump.pair({ config: { retentionMs: 2000, pinMs: 4000 } })
    a.publish('1')
    pump.run(10)
    pump.loses = ({ body }) => body.type === 'supply'
    const c = pump.add('c').join()
    const pinned = () => (pump.sentBy(c, 'baseline-request')[0]?.to === 'a' ? a : b)
    pump.run(9000)
    assert.equal(pinned().core.bounds(room).first, 1, 'what the joiner copies is gone')
    pump.loses = () => false
    pump.until(() => c.ready)
    pump.run(10_000)
    assert.equal(pinned().core.bounds(room).first, 2)
    assertAgree(a, b, c)
  })

  it('makes nobody keep more than twice what it would, however often somebody asks', () => {
    const pump = new Pump()
    const retentionBytes = 20_000
    const [a, b] = pump.pair({ config: { retentionBytes } })
    for (let i = 0; i < 200; i++) {
      a.receive(b.peer, { type: 'baseline-request', id: i + 1, done: false })
      a.publish('x')
      pump.run(10)
    }
    const [figures] = a.core.groups()
    assert.ok((figures?.logBytes ?? 0) <= 2 * retentionBytes + 1000, `${figures?.logBytes}`)
  })
})

import assert from 'node:assert/strict'
import { packetCodec } from '../../../../lib/protocols/membership/codec.ts'
import type { MemberRecord, MembershipCommand } from '../../../../lib/protocols/membership/messages.ts'
import { statementLimits } from '../../../../lib/protocols/membership/statements.ts'
import { WireError } from '../../../../lib/wire/errors.ts'
import { Lab, ScriptedPeer } from './lab.ts'

const [a, b, c] = ['a', 'b', 'c'].map((name) => new ScriptedPeer(name)) as [
  ScriptedPeer,
  ScriptedPeer,
  ScriptedPeer,
]

const changes: Readonly<Record<string, (i: number) => MembershipCommand>> = {
  groups: (i) => ({ type: 'regroup', groups: Array.from({ length: i + 1 }, (_, g) => `g${1000 + g}`) }),
  tags: (i) => ({ type: 'retag', tags: { role: `r${i}` } }),
  addresses: (i) => ({ type: 'readdress', addresses: [`/ip4/10.0.0.9/tcp/${1000 + i}`] }),
}

describe('what a member says of itself', () => {
  for (const [what, change] of Object.entries(changes)) {
    it(`is told together when its ${what} change in a burst of 256, the last one soon`, () => {
      const lab = new Lab()
      lab.start()
      lab.connect(a)
      for (let i = 0; i < 256; i++) {
        lab.command(change(i))
        if (i % 16 === 0) lab.runWhile(1, [])
      }
      assert.ok(lab.own.incarnation <= 5, `${lab.own.incarnation}`)
      lab.run(300)
      const told = lab.ownRecord().body
      const last = change(255)
      if (last.type === 'regroup') assert.deepEqual(told.groups, last.groups)
      else if (last.type === 'retag') assert.deepEqual(told.tags, last.tags)
      else if (last.type === 'readdress') assert.deepEqual(told.addresses, last.addresses)
      const { incarnation } = lab.own
      lab.run(5000)
      assert.equal(lab.own.incarnation, incarnation, 'and not again')
      lab.command(last)
      assert.equal(lab.own.incarnation, incarnation, 'the same is no news')
    })
  }

  it('can be read by others when keys of its tags look like numbers', () => {
    const tags = { role: 'web', '9': 'nine', '10': 'ten', '.x': 'dot', '-1': 'dash' }
    const lab = new Lab({ tags })
    lab.start()
    lab.connect(a)
    for (const packet of lab.sent(a)) packetCodec.decode(packetCodec.encode(packet))
    lab.command({ type: 'retag', tags: { ...tags, '8': 'eight' } })
    lab.run(300)
    for (const packet of lab.sent(a)) packetCodec.decode(packetCodec.encode(packet))
    assert.deepEqual(lab.ownRecord().body.tags, { ...tags, '8': 'eight' })
  })

  it('takes few generations for many that are asked for, and none is forgotten', () => {
    const lab = new Lab()
    lab.start()
    lab.connect(a)
    for (let i = 0; i < 50; i++) lab.command({ type: 'renew' })
    const { generation } = lab.core
    assert.ok(generation <= 1_000_000 + 4)
    const belief = { generation, incarnation: 0, standing: 'suspect' } as const
    lab.receive(a, a.ping([], belief))
    assert.equal(lab.own.incarnation, 1)
    lab.run(300)
    assert.ok(lab.core.generation > generation, 'although something else was told meanwhile')
    const settled = lab.core.generation
    lab.run(5000)
    assert.equal(lab.core.generation, settled)
  })

  it('goes along with a refutation that comes first', () => {
    const lab = new Lab()
    lab.start()
    lab.connect(a)
    for (let i = 0; i < 6; i++) lab.command({ type: 'retag', tags: { role: `r${i}` } })
    assert.equal(lab.own.incarnation, 4)
    const belief = { generation: lab.core.generation, incarnation: 4, standing: 'suspect' } as const
    lab.receive(a, a.ping([], belief))
    assert.equal(lab.own.incarnation, 5)
    lab.run(2000)
    assert.equal(lab.own.incarnation, 5)
    assert.deepEqual(lab.ownRecord().body.tags, { role: 'r5' })
  })

  it('never costs it its place elsewhere, however often it changes', () => {
    const lab = new Lab()
    const peer = new ScriptedPeer('m')
    lab.start()
    lab.connect(a)
    const observer = new Lab({ self: b.id })
    observer.start()
    observer.command({ type: 'connected', peer: lab.self })
    for (let i = 0; i < 3000; i++) {
      if (i === 2999) lab.run(1000)
      lab.command({ type: 'retag', tags: { role: `r${i}` } })
      lab.take()
      lab.run(10)
      observer.run(10)
      for (const packet of lab.sent(a)) observer.receive(peer, packet)
    }
    assert.deepEqual(observer.member(peer)?.tags, { role: 'r2999' })
    assert.ok(!observer.events().some((event) => event.type === 'misbehaved'))
    assert.ok(lab.own.incarnation <= 4 + 4 * 31)
  })
})

describe('the tags of a member', () => {
  it('stand in its record in order of their keys, and are its own only', () => {
    const lab = new Lab({ tags: { zone: 'x', role: 'db' } })
    lab.start()
    lab.connect(a)
    assert.deepEqual(Object.entries(lab.ownRecord().body.tags), [
      ['role', 'db'],
      ['zone', 'x'],
    ])
    assert.deepEqual(lab.own.tags, { role: 'db', zone: 'x' })
    lab.command({ type: 'retag', tags: { zone: 'x', role: 'db' } })
    assert.equal(lab.own.incarnation, 0, 'another order is no news')
  })

  it('reach the embedder of another member when they change', () => {
    const lab = new Lab()
    const peer = new ScriptedPeer('p')
    lab.start()
    lab.connect(peer)
    lab.take()
    peer.incarnation++
    const record = peer.record({ tags: { role: 'db' } })
    lab.receive(peer, peer.packet({ type: 'gossip' }, [peer.update({ record })]))
    const told = lab.events().flatMap((event) => (event.type === 'member' ? [event] : []))
    assert.deepEqual(
      told.map(({ change, member }) => [change, member.tags]),
      [['updated', { role: 'db' }]],
    )
  })

  it('beyond what a record may say are refused: as malformed from others, as a bug from here', () => {
    const decode = (change: Partial<MemberRecord>) =>
      packetCodec.decode(
        packetCodec.encode({
          generation: 1,
          updates: [a.update({ record: a.record(change) })],
          body: { type: 'gossip' },
        }),
      )
    const many = (count: number, key = (i: number) => `k${100 + i}`) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [key(i), 'v'.repeat(256)]))
    const lab = new Lab()
    lab.start()
    for (const tags of [many(33), { '': 'x' }, { k: 'x'.repeat(257) }, { k: '\u001b[2J' }, { 'a b': 'x' }]) {
      assert.throws(() => decode({ tags }), WireError, JSON.stringify(tags))
      assert.throws(() => lab.command({ type: 'retag', tags }), /beyond what a record may say/)
    }
    const { tags } = decode({ tags: { b: '1', a: '2' } }).updates[0]?.record.body ?? {}
    assert.deepEqual(Object.entries(tags ?? {}).join(), 'a,2,b,1', 'in order, however they were given')
    const disordered = a.record({ tags: { a: '1', b: '2' } })
    const key = Buffer.from(disordered.bytes).indexOf(Buffer.from([0x0a, 1, 0x61, 0x12, 1, 0x31]))
    assert.notEqual(key, -1)
    disordered.bytes.fill(0x63, key + 2, key + 3)
    const packet = a.packet({ type: 'gossip' }, [a.update({ record: disordered })])
    assert.throws(() => packetCodec.decode(packetCodec.encode(packet)), /tags out of order/)
    const full = decode({ tags: many(32, (i) => `k${100 + i}${'x'.repeat(60)}`) })
    assert.ok((full.updates[0]?.record.bytes.length ?? 0) <= statementLimits.recordBytes)
  })
})

describe('a refutation', () => {
  for (const [how, change] of [
    ['with new tags', (i: number) => ({ tags: { at: `${i}` } })],
    ['with new addresses', (i: number) => ({ addresses: [`/ip4/10.0.0.7/tcp/${i}`] })],
    ['with nothing new', () => ({})],
  ] as const) {
    it(`${how} ${how.endsWith('nothing new') ? 'counts' : 'does not count'} against who accused alone`, () => {
      const lab = new Lab()
      const subject = new ScriptedPeer('s')
      lab.start()
      for (const peer of [b, c, subject]) lab.connect(peer)
      let details: Partial<MemberRecord> = {}
      const accuse = () => {
        const record = subject.record(details)
        const update = subject.update({ record, accusations: [b.accuse(record)] })
        lab.receive(b, b.packet({ type: 'gossip' }, [update]))
      }
      for (let i = 1; i <= 3; i++) {
        accuse()
        subject.incarnation++
        details = change(i)
        const record = subject.record(details)
        lab.receive(subject, subject.packet({ type: 'gossip' }, [subject.update({ record })]))
        assert.equal(lab.member(subject)?.status, 'alive')
      }
      accuse()
      assert.equal(lab.member(subject)?.status, how.endsWith('nothing new') ? 'alive' : 'suspect')
    })
  }
})

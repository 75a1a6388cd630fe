import assert from 'node:assert/strict'
import { AntiEntropy } from '../../../../lib/protocols/multicast/anti-entropy.ts'
import { multicastDefaults } from '../../../../lib/protocols/multicast/config.ts'
import { Inquiries } from '../../../../lib/protocols/multicast/inquiries.ts'
import type { DotKey, PacketBody, Proof } from '../../../../lib/protocols/multicast/messages.ts'
import { Repair, type WantOptions } from '../../../../lib/protocols/multicast/repair.ts'
import { Receiver, type Told, Writer } from './history.ts'
import { keyOf, peer } from './sealing.ts'

/** Notes what it is asked for, and asks nobody. */
class NotingRepair extends Repair {
  readonly wanted: DotKey[] = []
  override want({ author, epoch, seq }: DotKey, _hint: unknown, _options?: WantOptions): void {
    this.wanted.push({ author, epoch, seq })
  }
}

class Side {
  readonly receiver = new Receiver()
  readonly sent: PacketBody[] = []
  readonly antiEntropy: AntiEntropy
  readonly repair: NotingRepair
  readonly asked: PacketBody[] = []
  readonly name
  other: Side | undefined
  static now = 1000

  constructor(name: string) {
    this.name = peer(name)
    const port = {
      now: () => Side.now,
      random: () => 0,
      reachable: () => (this.other === undefined ? [] : [this.other.name]),
      peerOf: () => undefined,
      schedule: () => undefined,
      gap: () => undefined,
      truncated: () => undefined,
      unknown: () => undefined,
      lost: () => undefined,
      send: (_: unknown, body: PacketBody) => void this.asked.push(body),
    }
    this.repair = new NotingRepair(this.receiver.order, multicastDefaults, port)
    this.antiEntropy = new AntiEntropy(
      this.receiver.order,
      this.repair,
      new Inquiries(multicastDefaults, port),
      { now: () => Side.now, send: (_, body) => void this.sent.push(body) },
    )
  }

  hear(from: Side, body: PacketBody): void {
    if (body.type === 'summary') this.antiEntropy.summary(from.name, body)
    else if (body.type === 'vector') this.antiEntropy.vector(from.name, body)
    else if (body.type === 'proofs') for (const proof of body.proofs) this.learn(proof)
  }

  learn: (proof: Proof) => void = (proof) => {
    const { order } = this.receiver
    if (order.forks.isProven(proof.first.authorKey)) return
    order.forks.prove(proof)
    order.castOut(proof.first.authorKey, Side.now)
  }
}

function pair(): [Side, Side] {
  const [a, b] = [new Side('alice'), new Side('bob')]
  a.other = b
  b.other = a
  return [a, b]
}

/** Until nobody has anything to say; how many frames that took. */
function talk(a: Side, b: Side, hopMs = 0): number {
  let frames = 0
  for (;;) {
    const [fromA, fromB] = [a.sent.splice(0), b.sent.splice(0)]
    if (fromA.length + fromB.length === 0) return frames
    Side.now += hopMs
    frames += fromA.length + fromB.length
    assert.ok(frames < 100, 'they go on for ever')
    for (const body of fromA) b.hear(a, body)
    for (const body of fromB) a.hear(b, body)
  }
}

function forkOf(name: string): [Told, Told] {
  const writer = new Writer(name)
  return [writer.writeUnseen({}, [Uint8Array.of(1)]), writer.writeUnseen({}, [Uint8Array.of(2)])]
}

describe('anti-entropy', () => {
  beforeEach(() => {
    Side.now += 10_000
  })

  it('says one thing where nothing differs', () => {
    const [a, b] = pair()
    const told = new Writer('x').write()
    for (const side of [a, b]) side.receiver.take(told)
    a.antiEntropy.begin(b.name)
    assert.equal(talk(a, b), 1)
    assert.deepEqual([a.repair.wanted, b.repair.wanted], [[], []])
  })

  it('tells each what it lacks, and ends', () => {
    const [a, b] = pair()
    const [x, y] = [new Writer('x'), new Writer('y')]
    const both = x.write()
    for (const side of [a, b]) side.receiver.take(both)
    a.receiver.take(x.write(), x.write())
    b.receiver.take(y.write())
    for (const begins of [[a], [b], [a, b]]) {
      Side.now += 1000
      for (const side of [a, b]) side.repair.wanted.length = 0
      for (const side of begins) side.antiEntropy.begin((side === a ? b : a).name)
      assert.ok(talk(a, b) <= 3 * begins.length)
      assert.ok(a.repair.wanted.every(({ author, seq }) => author === keyOf(peer('y')) && seq === 1))
      assert.ok(b.repair.wanted.every(({ author, seq }) => author === keyOf(peer('x')) && seq === 3))
      assert.ok(a.repair.wanted.length > 0 && b.repair.wanted.length > 0)
    }
  })

  it('cuts long vectors into frames, and is answered once', () => {
    const [a, b] = pair()
    const template = new Writer('x').write().envelope
    for (let epoch = 1; epoch <= 2500; epoch++) {
      const entry = `${template.authorKey}#${epoch}` as typeof template.entry
      a.receiver.order.delivered.advance({ ...template, entry, header: { ...template.header, epoch } })
    }
    a.antiEntropy.begin(b.name)
    const [summary] = a.sent.splice(0) as [PacketBody]
    b.hear(a, summary)
    for (const body of b.sent.splice(0)) a.hear(b, body)
    assert.deepEqual(
      a.sent.map((body) => body.type === 'vector' && [body.entries.length, body.reply]),
      [
        [1024, false],
        [1024, false],
        [452, false],
      ],
    )
    talk(a, b)
    assert.equal(b.repair.wanted.length, 2500)
  })

  it('sends proofs first, both ways, and then agrees where only outcasts differ', () => {
    const [a, b] = pair()
    const [left, right] = forkOf('x')
    const [first, second] = forkOf('y')
    a.receiver.take(left, right)
    b.receiver.take(first, second)
    assert.notEqual(a.receiver.order.forks.none, true)
    a.antiEntropy.begin(b.name)
    talk(a, b)
    for (const { receiver } of [a, b]) assert.equal(receiver.order.forks.proofs().length, 2)
    assert.equal(a.receiver.order.delivered.digest, b.receiver.order.delivered.digest)
    Side.now += 1000
    for (const side of [a, b]) side.repair.wanted.length = 0
    b.antiEntropy.begin(a.name)
    assert.equal(talk(a, b), 1)
    assert.deepEqual([a.repair.wanted, b.repair.wanted], [[], []])
  })

  it('does not go on for ever about proofs that never arrive', () => {
    const [a, b] = pair()
    a.receiver.take(...forkOf('x'))
    b.receiver.take(...forkOf('y'))
    for (const side of [a, b]) side.learn = () => undefined
    a.antiEntropy.begin(b.name)
    // Slowly: no limiter ends it.
    assert.ok(talk(a, b, 1000) < 10)
  })

  it('asks for the header where two have one dot and not one hash', () => {
    const [a, b] = pair()
    const [left, right] = forkOf('x')
    a.receiver.take(left)
    b.receiver.take(right)
    a.antiEntropy.begin(b.name)
    talk(a, b)
    const inquiries = [...a.asked, ...b.asked].filter(({ type }) => type === 'inquiry')
    assert.equal(inquiries.length, 2)
    assert.deepEqual([a.repair.wanted, b.repair.wanted], [[], []])
  })

  it('neither tells of outcasts nor takes what it is told of them', () => {
    const [a, b] = pair()
    const writer = new Writer('x')
    const x1 = writer.write()
    const x2 = writer.write()
    a.receiver.take(x1)
    const key = x1.envelope.authorKey
    a.receiver.order.forks.deny(key, true)
    a.receiver.order.castOut(key, 1)
    b.receiver.take(x1, x2)
    a.antiEntropy.begin(b.name)
    talk(a, b)
    assert.deepEqual(a.repair.wanted, [])
  })

  it('answers one peer no more often than ten times a second, whatever it sends', () => {
    const [a, b] = pair()
    b.receiver.take(new Writer('x').write())
    const digest = '0'.repeat(32)
    const start = Side.now
    for (let i = 0; i < 1000; i++) {
      Side.now = start + i
      b.hear(a, { type: 'summary', digest, forked: [], reply: false })
      b.hear(a, { type: 'vector', entries: [], reply: true })
    }
    assert.ok(b.sent.length >= 10 && b.sent.length <= 22, `${b.sent.length}`)
    b.antiEntropy.forget(a.name)
    const before = b.sent.length
    b.hear(a, { type: 'summary', digest, forked: [], reply: false })
    assert.equal(b.sent.length, before + 1)
  })
})

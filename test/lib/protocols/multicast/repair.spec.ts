import assert from 'node:assert/strict'
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { multicastDefaults } from '../../../../lib/protocols/multicast/config.ts'
import { dotOf } from '../../../../lib/protocols/multicast/dots.ts'
import type {
  AuthorKey,
  PacketBody,
  Range,
  VectorEntry,
} from '../../../../lib/protocols/multicast/messages.ts'
import { Repair } from '../../../../lib/protocols/multicast/repair.ts'
import { Receiver, type Told, Writer } from './history.ts'
import { keyOf, peer } from './sealing.ts'

const config = multicastDefaults
const [alice, bob, carol, dave] = ['alice', 'bob', 'carol', 'dave'].map(peer) as [
  PeerId,
  PeerId,
  PeerId,
  PeerId,
]
type Pull = Extract<PacketBody, { type: 'pull' }>

/** Repair alone: the test plays everybody else. */
class Bench {
  readonly receiver = new Receiver()
  readonly sent: { readonly to: PeerId; readonly body: PacketBody; readonly at: number }[] = []
  readonly gaps: Range[] = []
  readonly truncated: PeerId[] = []
  unknown = 0
  reachable: readonly PeerId[] = [alice, bob, carol, dave]
  now = 10_000
  wakeAt = Number.POSITIVE_INFINITY
  readonly repair: Repair

  constructor() {
    const peers = new Map<AuthorKey, PeerId>([alice, bob, carol, dave].map((one) => [keyOf(one), one]))
    let seed = 7
    this.repair = new Repair(this.receiver.order, config, {
      now: () => this.now,
      random: () => {
        seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
        return seed / 2 ** 32
      },
      reachable: () => this.reachable,
      peerOf: (author) => peers.get(author),
      send: (to, body) => void this.sent.push({ to, body, at: this.now }),
      schedule: (at) => {
        this.wakeAt = Math.min(this.wakeAt, at)
      },
      gap: (ranges) => void this.gaps.push(...ranges),
      truncated: (server) => void this.truncated.push(server),
      unknown: () => {
        this.unknown += 1
      },
    })
  }

  /** Until the next pull was sent, or the time is over. */
  nextPull(mostMs = 60_000): { to: PeerId; body: Pull; at: number } | undefined {
    const before = this.sent.length
    const end = this.now + mostMs
    while (this.sent.length === before) {
      if (this.wakeAt > end) {
        this.now = end
        return undefined
      }
      this.now = Math.max(this.now, this.wakeAt)
      this.wakeAt = Number.POSITIVE_INFINITY
      this.repair.run()
    }
    const { to, body, at } = this.sent[before] as (typeof this.sent)[0]
    return { to, body: body as Pull, at }
  }

  /** Whether anything of this author was asked for. */
  asksFor(author: PeerId): boolean {
    return this.pulls().some(({ ranges }) => ranges.some((range) => range.author === keyOf(author)))
  }

  pulls(): Pull[] {
    return this.sent.map(({ body }) => body as Pull)
  }

  /** The server has nothing to give. */
  answer(id: number, floors: readonly VectorEntry[] = [], delivered: readonly VectorEntry[] = []): void {
    this.repair.supplied(id, new Set(), floors, delivered)
  }
}

const dot = (author: PeerId, seq: number, epoch = 1000) => ({ author: keyOf(author), epoch, seq })
const vectorEntry = (author: PeerId, seq: number): VectorEntry => ({ ...dot(author, seq), hash: '' })

describe('repair', () => {
  it('asks whoever sent the dependent, then the author, then the others, each once a round', () => {
    const bench = new Bench()
    bench.repair.want(dot(alice, 3), carol)
    const asked: PeerId[] = []
    for (let i = 0; i < 4; i++) {
      const pull = bench.nextPull()
      assert.deepEqual(pull?.body.ranges, [{ author: keyOf(alice), epoch: 1000, from: 1, to: 3 }])
      asked.push(pull.to)
      bench.answer(pull.body.id)
    }
    assert.deepEqual(asked.slice(0, 2), [carol, alice])
    assert.deepEqual(new Set(asked.slice(2)), new Set([bob, dave]))
    assert.deepEqual(bench.gaps, [{ author: keyOf(alice), epoch: 1000, from: 1, to: 3 }])
  })

  it('leaves gossip its chance before it asks, unless somebody has just said that he has it', () => {
    const bench = new Bench()
    bench.repair.want(dot(alice, 1), bob)
    const pull = bench.nextPull()
    const waited = (pull?.at ?? 0) - 10_000
    assert.ok(
      waited >= config.pullDelayMinMs && waited <= config.pullDelayMaxMs + config.pullDelayMinMs,
      `${waited}`,
    )
    bench.repair.want(dot(carol, 1), bob, { soon: true })
    assert.equal(bench.nextPull()?.at, pull?.at)
  })

  it('asks for nothing that came meanwhile', () => {
    const bench = new Bench()
    const author = new Writer('alice')
    const told = author.write()
    bench.repair.want(dotOf(told.envelope), bob)
    bench.receiver.take(told)
    assert.equal(bench.repair.delivered(told.envelope.entry, 1), undefined)
    assert.equal(bench.nextPull(), undefined)
    assert.equal(bench.repair.wanting, 0)
  })

  it('tells since when it had been asked for what came', () => {
    const bench = new Bench()
    const told = new Writer('alice').write()
    bench.repair.want(dotOf(told.envelope), bob)
    bench.nextPull()
    bench.receiver.take(told)
    assert.equal(bench.repair.delivered(told.envelope.entry, 1), 10_000)
  })

  it('goes on elsewhere when no answer comes, and more and more rarely', () => {
    const bench = new Bench()
    bench.reachable = [bob, carol]
    bench.repair.want(dot(alice, 1), bob)
    const times: number[] = []
    // It is told again now and then, or it would be given up.
    for (let i = 0; i < 12; i++) {
      const pull = bench.nextPull()
      times.push(pull?.at ?? 0)
      bench.repair.want(dot(alice, 1), bob)
    }
    const servers = new Set(bench.sent.map(({ to }) => to))
    assert.deepEqual(servers, new Set([bob, carol]))
    assert.equal((times[1] ?? 0) - (times[0] ?? 0), config.pullTimeoutMs)
    const rounds = times.filter((_, i) => i % 2 === 0)
    const pauses = rounds.slice(1).map((at, i) => at - (rounds[i] ?? 0))
    assert.ok((pauses.at(-1) ?? 0) > 2 * (pauses[0] ?? 0), pauses.join())
    assert.ok((pauses.at(-1) ?? 0) <= 2 * config.pullTimeoutMs + 1.5 * config.pullBackoffMaxMs)
  })

  it('gives up what nobody has spoken of for long', () => {
    const bench = new Bench()
    bench.repair.want(dot(alice, 1), bob)
    for (let pull = bench.nextPull(); pull !== undefined; pull = bench.nextPull()) bench.answer(pull.body.id)
    assert.equal(bench.repair.wanting, 0)
    assert.ok(bench.now - 10_000 < 3 * config.holdBackMs)
  })

  it('has two pulls under way at one server, and no more', () => {
    const bench = new Bench()
    bench.reachable = [bob]
    for (let epoch = 1; epoch <= 5; epoch++) {
      bench.repair.want(dot(alice, 1, epoch), bob, { soon: true })
      bench.now += 1
      bench.repair.run()
    }
    assert.equal(bench.sent.length, 2)
    bench.answer(bench.pulls()[0]?.id ?? 0)
    bench.nextPull(config.pullTimeoutMs - 10)
    assert.equal(bench.sent.length, 3)
  })

  it('asks for no more ranges than a pull may have, and no further than may be held', () => {
    const bench = new Bench()
    bench.reachable = [bob]
    for (let epoch = 1; epoch <= 1000; epoch++) bench.repair.want(dot(alice, 1, epoch), bob, { soon: true })
    bench.repair.want(dot(carol, 2 ** 40 - 1), bob, { soon: true })
    const seen = new Set<number>()
    for (let i = 0; i < 20 && seen.size < 1000; i++) {
      const pull = bench.nextPull() as { body: Pull }
      assert.ok(pull.body.ranges.length <= 256)
      for (const { author, epoch, to } of pull.body.ranges) {
        assert.ok(to <= 1000)
        if (author === keyOf(alice)) seen.add(epoch)
      }
      bench.answer(pull.body.id)
    }
    assert.equal(seen.size, 1000)
  })

  it('takes what comes too late, and goes on with whoever is asked by then', () => {
    const bench = new Bench()
    const author = new Writer('alice')
    const told = [author.write(), author.write(), author.write()] as [Told, Told, Told]
    bench.repair.want(dotOf(told[2].envelope), dave)
    const first = bench.nextPull()
    const second = bench.nextPull()
    assert.deepEqual([first?.to, second?.to], [dave, alice])
    const id = first?.body.id ?? 0
    assert.equal(bench.repair.isAnswer(dave, id), true)
    assert.equal(bench.repair.isAnswer(alice, id), false)
    bench.receiver.take(told[0])
    const before = bench.sent.length
    bench.repair.supplied(id, new Set([told[0].envelope.entry]), [], [])
    assert.equal(bench.repair.isAnswer(dave, id), false, 'it counts once')
    assert.equal(bench.sent.length, before, 'alice is still being asked')
    bench.receiver.take(told[1])
    bench.repair.supplied(second?.body.id ?? 0, new Set([told[1].envelope.entry]), [], [])
    assert.equal(bench.pulls().at(-1)?.ranges[0]?.from, 3)
  })

  it('asks on at once where something came too late, also while it would have waited', () => {
    const bench = new Bench()
    bench.reachable = [dave]
    const author = new Writer('alice')
    const told = [author.write(), author.write()] as [Told, Told]
    bench.repair.want(dotOf(told[1].envelope), dave)
    const pulls = [bench.nextPull(), bench.nextPull(), bench.nextPull()]
    const last = pulls.at(-1)
    // Nobody else can be asked, so the next time would come after a pause.
    bench.now += config.pullTimeoutMs
    bench.repair.run()
    assert.equal(bench.sent.length, pulls.length)
    bench.receiver.take(told[0])
    bench.repair.supplied(last?.body.id ?? 0, new Set([told[0].envelope.entry]), [], [])
    assert.deepEqual(bench.pulls().at(-1)?.ranges, [{ author: keyOf(alice), epoch: 1000, from: 2, to: 2 }])
    assert.equal(bench.sent.length, pulls.length + 1)
  })

  it('remembers only so many that were given up, and none of who is gone', () => {
    const bench = new Bench()
    bench.repair.want(dot(alice, 1), bob)
    const first = bench.nextPull()
    const second = bench.nextPull()
    const late = first?.body.id ?? 0
    bench.repair.lost(first?.to ?? alice)
    assert.equal(bench.repair.isAnswer(first?.to ?? alice, late), false)
    for (let i = 0; i < 70; i++) {
      bench.repair.want(dot(alice, 1), bob)
      bench.nextPull()
    }
    assert.equal(bench.repair.isAnswer(second?.to ?? alice, second?.body.id ?? 0), false)
    const recent = bench.sent.at(-20)
    assert.ok(recent !== undefined)
    assert.equal(bench.repair.isAnswer(recent.to, (recent.body as Pull).id), true)
  })

  it('asks again where something came from', () => {
    const bench = new Bench()
    const author = new Writer('alice')
    const told = [author.write(), author.write(), author.write()] as [Told, Told, Told]
    bench.repair.want(dotOf(told[2].envelope), dave)
    const first = bench.nextPull()
    bench.receiver.take(told[0])
    bench.repair.supplied(first?.body.id ?? 0, new Set([told[0].envelope.entry]), [], [])
    const second = bench.sent.at(-1)
    assert.equal(second?.to, dave)
    assert.equal(bench.pulls().at(-1)?.ranges[0]?.from, 2)
    assert.equal(second?.at, first?.at)
  })

  it('forgets who is gone and asks who comes', () => {
    const bench = new Bench()
    bench.reachable = [bob]
    bench.repair.want(dot(alice, 1), bob)
    assert.equal(bench.nextPull()?.to, bob)
    bench.reachable = []
    bench.repair.lost(bob)
    assert.equal(bench.nextPull(500), undefined)
    bench.reachable = [carol]
    bench.repair.reached(carol)
    assert.equal(bench.nextPull(config.pullDelayMaxMs + config.pullDelayMinMs)?.to, carol)
  })

  describe('of what is truncated', () => {
    function asked(answers: (server: PeerId) => 'floor' | 'lacks' | 'nothing', mostMs: number): Bench {
      const bench = new Bench()
      bench.repair.want(dot(alice, 5), bob)
      const end = bench.now + mostMs
      while (bench.now < end) {
        const pull = bench.nextPull(end - bench.now)
        if (pull === undefined) break
        const type = answers(pull.to)
        if (type === 'floor') bench.answer(pull.body.id, [vectorEntry(alice, 5)], [vectorEntry(alice, 9)])
        if (type === 'lacks') bench.answer(pull.body.id)
      }
      return bench
    }

    it('says so when everybody was asked and somebody has it below its log, but not at once', () => {
      const some = (server: PeerId) => (server === carol ? 'floor' : 'lacks')
      assert.deepEqual(asked(some, config.truncateAfterMs - 1000).truncated, [])
      assert.ok(asked(some, 3 * config.truncateAfterMs).truncated.includes(carol))
      assert.ok(asked(() => 'floor', 3 * config.truncateAfterMs).truncated.length > 0)
    })

    it('does not while somebody has not answered, nor where nobody ever had it', () => {
      const silent = (server: PeerId) => (server === carol ? 'nothing' : 'floor')
      assert.deepEqual(asked(silent, 5 * config.truncateAfterMs).truncated, [])
      assert.deepEqual(asked(() => 'lacks', 5 * config.truncateAfterMs).truncated, [])
    })

    it('says so, too, when nobody ever had it', () => {
      assert.equal(asked(() => 'lacks', config.truncateAfterMs - 1000).unknown, 0)
      assert.ok(asked(() => 'lacks', 3 * config.truncateAfterMs).unknown > 0)
      const silent = (server: PeerId) => (server === carol ? 'nothing' : 'lacks')
      assert.equal(asked(silent, 5 * config.truncateAfterMs).unknown, 0)
      const some = (server: PeerId) => (server === carol ? 'floor' : 'lacks')
      assert.equal(asked(some, 3 * config.truncateAfterMs).unknown, 0)
    })

    it('does not for a floor below what is wanted', () => {
      const bench = new Bench()
      const author = new Writer('alice')
      bench.receiver.take(author.write(), author.write())
      bench.repair.want(dot(alice, 5), bob)
      const end = bench.now + 5 * config.truncateAfterMs
      while (bench.now < end) {
        const pull = bench.nextPull(end - bench.now)
        if (pull !== undefined) bench.answer(pull.body.id, [vectorEntry(alice, 2)], [vectorEntry(alice, 9)])
      }
      assert.deepEqual(bench.truncated, [])
    })
  })

  describe('against somebody who names what does not exist', () => {
    it('looks for a few of the dots that one author names, and still for those that others name', () => {
      const bench = new Bench()
      const spammer = keyOf(peer('spammer'))
      const author = keyOf(alice)
      for (let epoch = 0; epoch < 1_000_000; epoch++) {
        bench.repair.want({ author, epoch, seq: 1 }, bob, { cause: spammer })
      }
      assert.ok(bench.repair.wanting <= 256, `${bench.repair.wanting}`)
      bench.repair.want(dot(carol, 1), bob, { cause: keyOf(dave) })
      bench.repair.want(dot(dave, 1), bob)
      for (let i = 0; i < 6; i++) bench.nextPull()
      assert.ok(bench.asksFor(carol) && bench.asksFor(dave))
    })

    it('looks for what others tell of, when its wants are all taken by what nobody has', () => {
      const bench = new Bench()
      for (let i = 0; i < 6000; i++) bench.repair.want(dot(alice, 1, i), bob)
      assert.ok(bench.repair.wanting <= 4096)
      for (let i = 0; i < 400; i++) {
        const pull = bench.nextPull(5000)
        if (pull !== undefined) bench.answer(pull.body.id)
        bench.repair.want(dot(carol, 1), bob, { soon: true })
      }
      assert.ok(bench.asksFor(carol))
    })

    it('charges an author again only for what is still looked for', () => {
      const bench = new Bench()
      const cause = keyOf(peer('slow'))
      for (let i = 0; i < 100; i++) bench.repair.want(dot(alice, 1, i), bob, { cause })
      const few = bench.repair.wanting
      for (let pull = bench.nextPull(); pull !== undefined; pull = bench.nextPull())
        bench.answer(pull.body.id)
      assert.equal(bench.repair.wanting, 0)
      for (let i = 100; i < 200; i++) bench.repair.want(dot(alice, 1, i), bob, { cause })
      assert.equal(bench.repair.wanting, few)
    })
  })

  describe('as a server', () => {
    function serving() {
      const bench = new Bench()
      const [a, b] = [new Writer('alice'), new Writer('bob')]
      const a1 = a.write()
      const b1 = b.hear(a1).write()
      const a2 = a.write()
      bench.receiver.take(a1, b1, a2)
      const ask = (ranges: readonly Range[]) => {
        bench.repair.serve(dave, 9, ranges)
        const { to, body } = bench.sent.pop() as { to: PeerId; body: PacketBody }
        assert.equal(to, dave)
        assert.equal(body.type, 'supply')
        return body as Extract<PacketBody, { type: 'supply' }>
      }
      return { bench, a1, b1, a2, ask }
    }
    const all = (author: PeerId): Range => ({ author: keyOf(author), epoch: 1000, from: 1, to: 9 })

    it('gives what it has, how far it has delivered, and its floor', () => {
      const { bench, a1, b1, a2, ask } = serving()
      const whole = ask([all(alice), all(bob)])
      assert.deepEqual(
        whole.envelopes.map(({ hash }) => hash),
        [a1, b1, a2].map(({ envelope }) => envelope.hash),
      )
      assert.deepEqual(whole.delivered, [vectorEntry(alice, 2), vectorEntry(bob, 1)])
      assert.deepEqual(whole.floors, [])
      assert.deepEqual(whole.headers, [])
      bench.receiver.order.log.truncate()
      const rest = ask([all(alice), all(bob)])
      assert.deepEqual(
        rest.envelopes.map(({ hash }) => hash),
        [b1, a2].map(({ envelope }) => envelope.hash),
      )
      assert.deepEqual(rest.floors, [vectorEntry(alice, 1)])
      // What b1 names lies below: its header goes along.
      assert.deepEqual(
        rest.headers.map(({ hash }) => hash),
        [a1.envelope.hash],
      )
    })

    it('answers with nothing what it does not have', () => {
      const { ask } = serving()
      const { envelopes, floors, delivered } = ask([{ author: keyOf(carol), epoch: 1, from: 1, to: 5 }])
      assert.deepEqual([envelopes, floors, delivered], [[], [], []])
    })

    it('counts the answer of nobody but the server that was asked', () => {
      const bench = new Bench()
      bench.repair.want(dot(alice, 1), bob)
      const pull = bench.nextPull()
      const id = pull?.body.id ?? 0
      assert.equal(bench.repair.isAnswer(bob, id), true)
      assert.equal(bench.repair.isAnswer(carol, id), false)
      assert.equal(bench.repair.isAnswer(bob, id + 2), false)
      assert.equal(bench.repair.wanting, 1)
      bench.answer(id + 2)
      assert.equal(bench.repair.wanting, 1)
    })
  })
})

import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { EntryKey } from '../../../../lib/protocols/multicast/messages.ts'
import {
  baseOf,
  diskOf,
  dotsOf,
  frontierOf,
  type Given,
  historyOf,
  inOtherOrder,
  maximaOf,
  Receiver,
  stepsOf,
  type Told,
  vectorOf,
  Writer,
} from './history.ts'

const manySteps = stepsOf({ authors: 4, messages: 25 })
const picks = fc.array(fc.nat(20), { minLength: 1, maxLength: 10 })

/** As the whole map, from the few entries that are kept. */
function rebuilt(receiver: Receiver, hash: string) {
  const { log } = receiver.order
  const item = [...log.after(0)].find(({ envelope }) => envelope.hash === hash)
  if (item === undefined) return undefined
  const vector = new Map<EntryKey, number>()
  for (const entry of log.entries()) {
    const seq = item.below.get(entry) ?? log.valueAt(entry, item.index)
    if (seq > 0) vector.set(entry, seq)
  }
  return { vector, exact: item.exact }
}

function sorted(vector: ReadonlyMap<EntryKey, number>) {
  return [...vector].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** What is told exact is; what is not lies at or below the truth. Returns how many were told exact. */
function check(receiver: Receiver, history: readonly Told[]): { exact: number; inexact: number } {
  const counts = { exact: 0, inexact: 0 }
  for (const told of history) {
    const found = rebuilt(receiver, told.envelope.hash)
    if (found === undefined) continue
    const truth = vectorOf([...told.past, told])
    if (found.exact) {
      counts.exact += 1
      assert.deepEqual(sorted(found.vector), sorted(truth))
    } else {
      counts.inexact += 1
      for (const [entry, seq] of found.vector) assert.ok(seq <= (truth.get(entry) ?? 0), 'invented')
      assert.equal(found.vector.get(told.envelope.entry), told.envelope.last)
    }
  }
  return counts
}

/** The frontier's vectors, as far as they are told exact. */
function checkFrontier(receiver: Receiver, delivered: readonly Told[]): void {
  const { order } = receiver
  assert.deepEqual(frontierOf(order), dotsOf(maximaOf(delivered)))
  const now = vectorOf(delivered)
  assert.deepEqual(
    sorted(new Map([...order.delivered.values()].map((header) => [header.entry, header.last]))),
    sorted(now),
  )
  for (const { dot, below, exact } of order.frontier.values()) {
    const told = delivered.find((one) => dotsOf([one])[0] === `${dot.author}#${dot.epoch}:${dot.seq}`) as Told
    const truth = vectorOf([...told.past, told])
    for (const [entry, seq] of now) {
      const kept = below.get(entry) ?? seq
      if (exact) assert.equal(kept, truth.get(entry) ?? 0)
    }
  }
}

function adopting({ entries, frontier }: Given, onto = new Receiver()): Receiver {
  onto.order.adopt(entries, frontier, 1)
  return onto
}

describe('vectors', () => {
  it('are the merge of whole maps, at every message and whatever was delivered since', () => {
    fc.assert(
      fc.property(manySteps, picks, (steps, chosen) => {
        const history = historyOf(steps)
        const receiver = new Receiver()
        receiver.take(...inOtherOrder(history, chosen))
        assert.deepEqual(check(receiver, history), { exact: history.length, inexact: 0 })
      }),
      { numRuns: 150 },
    )
  })

  it('stay so when the log is truncated, or say that they are not', () => {
    const seen = { exact: 0, inexact: 0 }
    fc.assert(
      fc.property(
        manySteps,
        picks,
        fc.array(fc.nat(2), { minLength: 1, maxLength: 9 }),
        (steps, chosen, cuts) => {
          const history = historyOf(steps)
          const receiver = new Receiver()
          const delivered: Told[] = []
          for (const [at, told] of inOtherOrder(history, chosen).entries()) {
            receiver.take(told)
            for (const parent of told.past) receiver.order.takeHeader(parent.envelope, 9)
            delivered.push(told)
            for (let i = cuts[at % cuts.length] ?? 0; i > 0; i--) receiver.order.log.truncate()
            const { exact, inexact } = check(receiver, history)
            seen.exact += exact
            seen.inexact += inexact
            checkFrontier(receiver, delivered)
          }
        },
      ),
      { numRuns: 150 },
    )
    assert.ok(seen.exact > seen.inexact, `${seen.exact} exact, ${seen.inexact} not`)
  })

  it('stay so above a baseline, or say that they are not', () => {
    const seen = { exact: 0, inexact: 0 }
    fc.assert(
      fc.property(manySteps, picks, picks, fc.nat(25), fc.nat(25), (steps, mine, theirs, had, cut) => {
        const history = historyOf(steps)
        const order = inOtherOrder(history, theirs)
        const giver = new Receiver()
        giver.take(...order)
        for (let i = 0; i < Math.min(cut, order.length); i++) giver.order.log.truncate()
        const below = order.slice(0, Math.min(cut, order.length))
        assert.deepEqual(sortedBase(giver), sorted(vectorOf(below)))
        // New, or with deliveries of its own.
        const before = inOtherOrder(history, mine).slice(0, had % 2 === 0 ? 0 : had)
        const joiner = new Receiver()
        joiner.take(...before)
        adopting(baseOf(giver.order), joiner)
        const union = new Set([...before, ...below])
        checkFrontier(joiner, [...union])
        assert.equal([...joiner.order.log.after(0)].length, 0)
        for (const told of inOtherOrder(history, mine)) {
          if (union.has(told)) continue
          assert.deepEqual(joiner.take(told), headerBelow(joiner, told) ? ['held'] : ['delivered'])
          for (const parent of told.past) joiner.order.takeHeader(parent.envelope, 9)
          union.add(told)
          checkFrontier(joiner, [...union])
        }
        const { exact, inexact } = check(joiner, history)
        seen.exact += exact
        seen.inexact += inexact
      }),
      { numRuns: 150 },
    )
    assert.ok(seen.exact > seen.inexact, `${seen.exact} exact, ${seen.inexact} not`)
  })

  it('stay so over a restart from what the disk held', () => {
    fc.assert(
      fc.property(manySteps, picks, fc.nat(25), (steps, chosen, at) => {
        const history = historyOf(steps)
        const order = inOtherOrder(history, chosen)
        const first = new Receiver()
        first.take(...order.slice(0, at))
        const second = adopting(diskOf(first.order))
        checkFrontier(second, order.slice(0, at))
        for (const told of order.slice(at)) {
          second.take(told)
          for (const parent of told.past) second.order.takeHeader(parent.envelope, 9)
        }
        check(second, history)
        checkFrontier(second, order)
      }),
      { numRuns: 150 },
    )
  })

  it('stay so, or say that they are not, where the disk and the giver had no room for all of them', () => {
    const seen = { exact: 0, inexact: 0 }
    fc.assert(
      fc.property(manySteps, picks, fc.nat(25), fc.nat(4), (steps, chosen, at, room) => {
        const order = inOtherOrder(historyOf(steps), chosen)
        const first = new Receiver()
        first.take(...order.slice(0, at))
        const restarted = adopting(diskOf(first.order, room))
        while (first.order.log.truncate() !== undefined);
        const joined = adopting(baseOf(first.order, room))
        for (const second of [restarted, joined]) {
          checkFrontier(second, order.slice(0, at))
          for (const told of order.slice(at)) {
            second.take(told)
            for (const parent of told.past) second.order.takeHeader(parent.envelope, 9)
          }
          const { exact, inexact } = check(second, order)
          seen.exact += exact
          seen.inexact += inexact
          checkFrontier(second, order)
        }
      }),
      { numRuns: 150 },
    )
    assert.ok(seen.exact > 0 && seen.inexact > 0)
  })

  it('are exact again once something covers what is hidden', () => {
    const [a, b, c] = [new Writer('a'), new Writer('b'), new Writer('c')]
    const a1 = a.write()
    const b1 = b.hear(a1).write()
    const a2 = a.write()
    // It names a1, which lies below the joiner's baseline {a1, a2}.
    const giver = new Receiver()
    giver.take(a1, a2)
    giver.order.log.rebase()
    const joiner = adopting(baseOf(giver.order))
    joiner.take(b1)
    joiner.order.takeHeader(a1.envelope, 1)
    assert.equal(rebuilt(joiner, b1.envelope.hash)?.exact, false)
    const c1 = c.hear(a2, b1).write()
    joiner.take(c1)
    const found = rebuilt(joiner, c1.envelope.hash)
    assert.equal(found?.exact, true)
    assert.deepEqual(sorted(found.vector), sorted(vectorOf([a1, a2, b1, c1])))
  })
})

function sortedBase(receiver: Receiver) {
  return sorted(new Map([...receiver.order.log.base.values()].map((header) => [header.entry, header.last])))
}

/** Whether a parent's header lies below the baseline, so that its Lamport time cannot be checked yet. */
function headerBelow({ order }: Receiver, { envelope }: Told): boolean {
  const { dependencies, old } = envelope.header
  const named = old === undefined ? dependencies : [old, ...dependencies]
  return named.some((dot) => order.log.header(dot) === undefined)
}

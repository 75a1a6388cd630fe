import assert from 'node:assert/strict'
import fc from 'fast-check'
import { dotOf } from '../../../../lib/protocols/multicast/dots.ts'
import { Log, payloadBytes, sizeOf } from '../../../../lib/protocols/multicast/log.ts'
import type { EntryKey, Range } from '../../../../lib/protocols/multicast/messages.ts'
import { standardUnits } from '../../../../lib/protocols/multicast/units.ts'
import { historyOf, Receiver, stepsOf, type Told, Writer } from './history.ts'

const acts = fc.array(fc.constantFrom('append', 'append', 'append', 'truncate', 'rebase', 'drop'), {
  minLength: 5,
  maxLength: 40,
})
const manySteps = stepsOf({ authors: 3, messages: 30 })

/** All that was appended, in order, with the index of its first payload. */
interface Naive {
  readonly told: Told
  readonly index: number
}

class Model {
  readonly log = new Log(standardUnits)
  readonly all: Naive[] = []
  /** How many of them are below the base; and which of those are kept. */
  below = 0
  kept = new Set<Naive>()
  next = 1

  apply(act: string, waiting: Told[]): void {
    const { log } = this
    switch (act) {
      case 'append': {
        const told = waiting.shift()
        if (told === undefined) return
        const { envelope } = told
        const item = log.append({
          envelope,
          first: envelope.header.seq,
          predecessor: undefined,
          at: 0,
          below: new Map(),
          exact: true,
        })
        assert.equal(item.index, this.next)
        this.all.push({ told, index: this.next })
        this.next += envelope.payloads.length
        return
      }
      case 'truncate': {
        const item = log.truncate()
        assert.equal(item?.envelope.hash, this.all[this.below]?.told.envelope.hash)
        if (item !== undefined) this.below += 1
        return
      }
      case 'rebase':
        log.rebase()
        for (const one of this.here) this.kept.add(one)
        this.below = this.all.length
        return
      case 'drop': {
        const dropped = new Set(log.dropKept().map(({ hash }) => hash))
        assert.deepEqual(dropped, new Set([...this.kept].map(({ told }) => told.envelope.hash)))
        this.kept.clear()
      }
    }
  }

  get here(): Naive[] {
    return this.all.slice(this.below)
  }

  valueAt(entry: EntryKey, index: number): number {
    const seqs = this.all
      .filter((one, at) => one.told.envelope.entry === entry && (at < this.below || one.index <= index))
      .map(({ told }) => told.envelope.last)
    return Math.max(0, ...seqs)
  }
}

const roomy = { envelopes: 1000, bytes: 1e9 }

describe('the log', () => {
  it('answers like a plain list', () => {
    fc.assert(
      fc.property(manySteps, acts, (steps, list) => {
        const history = historyOf(steps)
        const model = new Model()
        const waiting = [...history]
        const entries = [...new Set(history.map(({ envelope }) => envelope.entry))]
        for (const act of list) {
          model.apply(act, waiting)
          const { log, here } = model
          assert.equal(log.lastIndex, model.next - 1)
          assert.equal(log.firstIndex, here[0]?.index ?? model.next)
          assert.equal(log.messages, model.next - log.firstIndex)
          assert.equal(
            log.bytes,
            here.reduce((sum, { told }) => sum + sizeOf(told.envelope), 0),
          )
          assert.equal(log.oldest?.envelope.hash, here[0]?.told.envelope.hash)
          assert.equal(log.keeps, model.kept.size > 0)
          for (const entry of entries) {
            for (let index = log.firstIndex - 1; index <= log.lastIndex; index++) {
              assert.equal(log.valueAt(entry, index), model.valueAt(entry, index))
            }
            assert.equal(log.valueNow(entry), model.valueAt(entry, Number.POSITIVE_INFINITY))
            assert.equal(log.valueAtBase(entry), model.valueAt(entry, 0))
            for (let seq = 1; seq <= 12; seq++) {
              const naive = here.find(
                ({ told: { envelope: e } }) => e.entry === entry && e.header.seq <= seq && seq <= e.last,
              )
              assert.equal(log.find(entry, seq)?.envelope.hash, naive?.told.envelope.hash)
            }
          }
          assert.deepEqual(new Set(log.entries()), new Set(model.all.map(({ told }) => told.envelope.entry)))
          for (let index = log.firstIndex; index <= log.lastIndex; index++) {
            const naive = here.findLast((one) => one.index <= index)
            assert.equal(log.at(index)?.envelope.hash, naive?.told.envelope.hash)
            const after = here.filter((one) => one.index + one.told.envelope.payloads.length - 1 > index)
            assert.deepEqual(
              [...log.after(index)].map(({ envelope }) => envelope.hash),
              after.map(({ told }) => told.envelope.hash),
            )
            const later = new Set(
              here.filter((one) => one.index > index).map(({ told }) => told.envelope.entry),
            )
            const told = new Set(log.entriesAfter(index))
            for (const entry of later) assert.ok(told.has(entry))
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  it('serves every envelope that it has of a range, causes first, and nothing else', () => {
    const ranges = fc.record({ entry: fc.nat(4), from: fc.integer({ min: 1, max: 9 }), length: fc.nat(6) })
    fc.assert(
      fc.property(manySteps, acts, fc.array(ranges, { minLength: 1, maxLength: 3 }), (steps, list, asked) => {
        const history = historyOf(steps)
        const model = new Model()
        const waiting = [...history]
        for (const act of list) model.apply(act, waiting)
        const envelopes = history.map(({ envelope }) => envelope)
        const wanted = asked.map(({ entry, from, length }): Range => {
          const { authorKey: author, header } = envelopes[entry % envelopes.length] as (typeof envelopes)[0]
          return { author, epoch: header.epoch, from, to: from + length }
        })
        const naive = [...model.kept, ...model.here].filter(({ told: { envelope } }) =>
          wanted.some(
            ({ author, epoch, from, to }) =>
              envelope.authorKey === author &&
              envelope.header.epoch === epoch &&
              envelope.last >= from &&
              envelope.header.seq <= to,
          ),
        )
        const served = model.log.serve(wanted, roomy)
        assert.deepEqual(
          new Set(served.map(({ hash }) => hash)),
          new Set(naive.map(({ told }) => told.envelope.hash)),
        )
        // No log with a later one first, no cause in the log behind its effect.
        const stands = served.map(
          ({ hash }) => model.all.find(({ told }) => told.envelope.hash === hash) as Naive,
        )
        for (const [at, one] of stands.entries()) {
          for (const later of stands.slice(at + 1)) {
            if (model.kept.has(later) && !sameEntry(one, later)) continue
            assert.ok(!one.told.past.has(later.told))
          }
        }
        for (const range of wanted) {
          const floor = model.log.floor(`${range.author}#${range.epoch}` as EntryKey)
          for (const { told } of model.all) {
            if (told.envelope.entry !== `${range.author}#${range.epoch}`) continue
            if (told.envelope.header.seq <= floor) continue
            const alone = { ...range, from: told.envelope.header.seq, to: told.envelope.last }
            const [found] = model.log.serve([alone], roomy)
            assert.equal(found?.hash, told.envelope.hash, 'above the floor, and not there')
          }
        }
      }),
      { numRuns: 150 },
    )
  })

  it('serves at most so many envelopes and bytes, and always one', () => {
    const writer = new Writer('a')
    const model = new Model()
    const history = Array.from({ length: 20 }, () => writer.write({}, [new Uint8Array(1000)]))
    while (history.length > 0) model.apply('append', history)
    const [{ told }] = model.all as [Naive]
    const { envelope } = told
    const range = { author: envelope.authorKey, epoch: 1000, from: 1, to: 20 }
    const count = (limits: Partial<typeof roomy>, from = 1) =>
      model.log.serve([{ ...range, from }], { ...roomy, ...limits }).length
    assert.equal(count({ envelopes: 7 }), 7)
    assert.equal(count({ bytes: 1 }), 1)
    const size = envelope.bytes.length + payloadBytes(envelope)
    assert.ok([3, 4].includes(count({ bytes: 4 * size })))
    assert.equal(count({ envelopes: 7 }, 18), 3)
    assert.equal(count({}, 21), 0)
    // Named twice, served twice at most: the ranges are the asker's to choose.
    assert.ok(model.log.serve([range, range], { ...roomy, envelopes: 25 }).length <= 25)
  })

  it('keeps a header for as long as something in the log names it', () => {
    const [a, b] = [new Writer('a'), new Writer('b')]
    const a1 = a.write()
    const b1 = b.hear(a1).write()
    const [a2, a3] = [a.write(), a.write()]
    const receiver = new Receiver()
    receiver.take(a1, b1, a2, a3)
    const { log } = receiver.order
    const dot = dotOf(a1.envelope)
    log.truncate()
    assert.equal(log.header(dot)?.hash, a1.envelope.hash)
    assert.equal(log.stand(dot)?.exact, true)
    log.truncate()
    log.truncate()
    log.truncate()
    assert.equal(log.header(dot), undefined)
    assert.equal(log.header(dotOf(a3.envelope))?.hash, a3.envelope.hash)
  })

  it('keeps the headers that are named by what it serves from below', () => {
    const [a, b] = [new Writer('a'), new Writer('b')]
    const a1 = a.write()
    const b1 = b.hear(a1).write()
    const a2 = a.write()
    const receiver = new Receiver()
    receiver.take(a1, b1, a2)
    const { log } = receiver.order
    log.rebase()
    assert.equal(log.header(dotOf(a1.envelope))?.hash, a1.envelope.hash)
    log.dropKept()
    assert.equal(log.header(dotOf(a1.envelope)), undefined)
  })

  it('does not remember a header that nothing names', () => {
    const receiver = new Receiver()
    const stray = new Writer('a').write().envelope
    receiver.order.log.keepHeader(stray)
    assert.equal(receiver.order.log.header(dotOf(stray)), undefined)
  })
})

function sameEntry(a: Naive, b: Naive): boolean {
  return a.told.envelope.entry === b.told.envelope.entry
}

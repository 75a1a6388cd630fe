import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { HistoryEvent, ViewEvent } from '../../../testnet/checkers/history.ts'
import { checkMembership } from '../../../testnet/checkers/membership.ts'
import { bounds, properties, type Script, script } from './histories.ts'

/** `size` peers form; then those of `ends` are ended one by one, found, and come back. */
function good(size: number, ends: readonly Fate[]): Script {
  const peers = Array.from({ length: size }, (_, index) => `n${index}`)
  const generations = new Map(peers.map((peer) => [peer, 1]))
  const history = script().formed(...peers)
  let at = 2000
  for (const { who, ending } of ends) {
    const peer = `n${who % size}`
    const others = peers.filter((other) => other !== peer)
    const generation = generations.get(peer) ?? 1
    history.ends(at, ending, peer)
    const status = ending === 'killed' ? 'dead' : 'left'
    for (const other of others) history.view(at + 400, other, peer, status, generation, 0)
    generations.set(peer, generation + 1)
    const life = history.events.filter((event) => event.type === 'started' && event.peer === peer).length
    history.started(at + 2000, peer, life + 1).ready(at + 2300, peer)
    history.view(at + 2300, peer, peer, 'alive', generation + 1, 0)
    for (const other of others) {
      history.view(at + 2400, peer, other, 'alive', generations.get(other) ?? 1, 0)
      history.view(at + 2400, other, peer, 'alive', generation + 1, 0)
    }
    at += 5000
  }
  return history.end(at)
}

interface Fate {
  readonly who: number
  readonly ending: 'killed' | 'stopped' | 'left'
}

const fates = fc.array(
  fc.record({ who: fc.nat(9), ending: fc.constantFrom('killed', 'stopped', 'left' as const) }),
  { maxLength: 4 },
)
const histories = fc.tuple(fc.integer({ min: 2, max: 6 }), fates).map(([size, ends]) => good(size, ends))

/** A good history and one of its view rows, by a peer about another one. */
const spoilable = fc.tuple(histories, fc.nat()).map(([history, pick]) => {
  const rows = history.events.filter(
    (event): event is ViewEvent =>
      event.type === 'view' && event.status === 'alive' && event.observer !== event.subject,
  )
  const row = rows[pick % rows.length]
  assert.ok(row !== undefined)
  return { events: history.events, row }
})

/** `events` with `extra` right after `row`, a millisecond later. */
function withRow(events: readonly HistoryEvent[], row: ViewEvent, extra: Partial<ViewEvent>): HistoryEvent[] {
  const later = { ...row, at: row.at + 1, ...extra }
  const last = events.findLastIndex(({ at }) => at <= later.at)
  return events.toSpliced(last + 1, 0, later)
}

describe('the membership checkers together', () => {
  it('accept every good history', () => {
    fc.assert(
      fc.property(histories, ({ events }) => {
        assert.deepEqual(checkMembership(events, bounds).violations, [])
      }),
    )
  })

  it('reject a good history in which a running peer is shown dead', () => {
    fc.assert(
      fc.property(spoilable, ({ events, row }) => {
        const found = properties(checkMembership(withRow(events, row, { status: 'dead' }), bounds))
        assert.ok(found.includes('accuracy'))
      }),
    )
  })

  it('reject a good history in which a running peer is shown left', () => {
    fc.assert(
      fc.property(spoilable, ({ events, row }) => {
        const found = properties(checkMembership(withRow(events, row, { status: 'left' }), bounds))
        assert.ok(found.includes('left-by-own-will'))
      }),
    )
  })

  it('reject a good history in which a generation or an incarnation falls', () => {
    fc.assert(
      fc.property(spoilable, fc.boolean(), ({ events, row }, generation) => {
        const extra = generation ? { generation: row.generation - 1 } : { incarnation: row.incarnation - 1 }
        assert.ok(
          properties(checkMembership(withRow(events, row, extra), bounds)).includes('no-resurrection'),
        )
      }),
    )
  })

  it('reject a good history with a stranger', () => {
    fc.assert(
      fc.property(spoilable, ({ events, row }) => {
        assert.ok(
          properties(checkMembership(withRow(events, row, { subject: 'x' }), bounds)).includes(
            'no-strangers',
          ),
        )
      }),
    )
  })

  it('reject a good history in which one observer misses one death', () => {
    fc.assert(
      fc.property(histories, fc.nat(), ({ events }, pick) => {
        const deaths = events.filter((event) => event.type === 'view' && event.status !== 'alive')
        fc.pre(deaths.length > 0)
        const missed = deaths[pick % deaths.length]
        const found = properties(
          checkMembership(
            events.filter((event) => event !== missed),
            bounds,
          ),
        )
        assert.ok(found.includes('completeness'))
        assert.ok(found.includes('convergence'))
      }),
    )
  })

  it('reject a good history in which one observer misses one arrival', () => {
    fc.assert(
      fc.property(spoilable, ({ events, row }) => {
        const found = properties(
          checkMembership(
            events.filter((event) => event !== row),
            bounds,
          ),
        )
        assert.ok(found.includes('convergence'))
      }),
    )
  })

  it('give their breaches in the order of time, and all figures', () => {
    const history = good(3, [{ who: 2, ending: 'killed' }])
    history.view(8000, 'n0', 'x', 'alive', 1, 0).view(8100, 'n0', 'n1', 'dead', 1, 0).end(11_000)
    const { violations, figures } = checkMembership(history.events, bounds)
    assert.deepEqual(
      violations.map(({ property }) => property),
      ['no-strangers', 'accuracy', 'convergence'],
    )
    assert.equal(figures.events, history.events.length)
    assert.equal(figures.lives, 4)
    assert.equal(figures.detections[0]?.lastMs, 400)
  })

  it('judge a hundred thousand events in a moment', () => {
    const history = good(
      100,
      Array.from({ length: 300 }, (_, who) => ({ who, ending: 'killed' as const })),
    )
    const startedAt = process.hrtime.bigint()
    assert.deepEqual(checkMembership(history.events, bounds).violations, [])
    const tookMs = Number(process.hrtime.bigint() - startedAt) / 1e6
    assert.ok(tookMs < 5000, `${history.events.length} events took ${tookMs} ms`)
  })
})

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { checkMutex } from '../../../../plugins/mutex/checker/fenced-mutex.ts'
import type { MutexEvent } from '../../../../plugins/mutex/checker/history.ts'
import { bounds } from './log.ts'

/** A stay, as plain numbers: `left` and `until` are Infinity where there is none. */
interface Plain {
  readonly lock: string
  readonly peer: string
  readonly token: number
  readonly entered: number
  readonly left: number
  readonly until: number
}

const forever = Number.POSITIVE_INFINITY

/** All instants differ, so that no order has to be agreed on: times are places in a shuffled row. */
const someStays: fc.Arbitrary<readonly Plain[]> = fc
  .tuple(
    fc.array(
      fc.record({
        lock: fc.constantFrom('door', 'window'),
        token: fc.integer({ min: 1, max: 6 }),
        leaves: fc.boolean(),
        expires: fc.boolean(),
      }),
      { minLength: 1, maxLength: 5 },
    ),
    fc.shuffledSubarray(
      Array.from({ length: 15 }, (_, index) => 10 * (index + 1)),
      { minLength: 15 },
    ),
  )
  .map(([stays, times]) =>
    stays.map(({ lock, token, leaves, expires }, index) => {
      const [entered = 0, left = 0, until = 0] = times.slice(3 * index, 3 * index + 3).sort((a, b) => a - b)
      const end = { left: leaves ? left : forever, until: expires ? until : forever }
      return { lock, token, peer: `p${index}`, entered, ...end }
    }),
  )

/** Mostly as a lock should be: one after the other, tokens rising; the checker must not only know chaos. */
const orderly: fc.Arbitrary<readonly Plain[]> = fc
  .array(fc.record({ raise: fc.integer({ min: 0, max: 2 }), stays: fc.integer({ min: 1, max: 12 }) }), {
    minLength: 2,
    maxLength: 6,
  })
  .map((visits) => {
    let token = 1
    return visits.map(({ raise, stays }, index): Plain => {
      token += raise
      const entered = 100 * index
      return {
        lock: 'door',
        peer: `p${index}`,
        token,
        entered,
        left: entered + 10 * stays + 1,
        until: forever,
      }
    })
  })

function eventsOf({ lock, peer, token, entered, left, until }: Plain): readonly MutexEvent[] {
  const base = { lock, peer, life: 1, token }
  return [
    { type: 'entered', at: entered, ...base, ...(until === forever ? {} : { until }) },
    ...(left === forever ? [] : [{ type: 'left', at: left, ...base, how: 'released' } as const]),
  ]
}

function found(stays: readonly Plain[], property: string): readonly number[] {
  const { violations } = checkMutex(stays.flatMap(eventsOf), bounds)
  return violations.flatMap((violation) => (violation.property === property ? [violation.at] : []))
}

function sorted(numbers: readonly number[]): readonly number[] {
  return [...numbers].sort((a, b) => a - b)
}

/** Entries within another's stay, by looking at every pair. */
function overlaps(stays: readonly Plain[]): readonly number[] {
  const meets = (one: Plain, other: Plain): boolean =>
    one !== other &&
    one.lock === other.lock &&
    one.entered < other.entered &&
    other.entered < Math.min(one.left, one.until)
  return stays.flatMap((stay) => (stays.some((other) => meets(other, stay)) ? [stay.entered] : []))
}

/** Entries that somebody with no lower token came before, by looking at every pair. */
function stale(stays: readonly Plain[]): readonly number[] {
  return stays.flatMap((stay) =>
    stays.some(
      (other) => other.lock === stay.lock && other.entered < stay.entered && other.token >= stay.token,
    )
      ? [stay.entered]
      : [],
  )
}

describe('the checker of locks beside a naive one', () => {
  for (const [what, histories] of [
    ['any history', someStays],
    ['a history that is nearly right', orderly],
  ] as const) {
    it(`finds the same entries into a lock that is not free, of ${what}`, () => {
      const seen = { some: 0, none: 0 }
      const run = fc.property(histories, (stays) => {
        const expected = overlaps(stays)
        seen[expected.length > 0 ? 'some' : 'none']++
        assert.deepEqual(found(stays, 'exclusion'), sorted(expected))
      })
      fc.assert(run, { numRuns: 500 })
      assert.ok(seen.some > 50 && seen.none > 50, JSON.stringify(seen))
    })

    it(`finds the same tokens that do not rise, of ${what}`, () => {
      const seen = { some: 0, none: 0 }
      const run = fc.property(histories, (stays) => {
        const expected = stale(stays)
        seen[expected.length > 0 ? 'some' : 'none']++
        assert.deepEqual(found(stays, 'tokens'), sorted(expected))
      })
      fc.assert(run, { numRuns: 500 })
      assert.ok(seen.some > 50 && seen.none > 50, JSON.stringify(seen))
    })
  }

  it('finds the same tokens that a resource should not have taken, or refused', () => {
    const shows = fc.array(fc.record({ token: fc.integer({ min: 1, max: 4 }), taken: fc.boolean() }))
    const run = fc.property(shows, (shown) => {
      const stays = [1, 2, 3, 4].map((token) => ({
        ...{ lock: 'door', peer: 'a', token },
        ...{ entered: token * 10, left: token * 10 + 1, until: forever },
      }))
      const events = shown.map((show, index) => ({
        type: 'shown' as const,
        at: 100 + index,
        lock: 'door',
        ...show,
      }))
      const wrong = events.filter(({ token, taken }, index) => {
        const above = events.slice(0, index).some((earlier) => earlier.taken && earlier.token > token)
        return taken === above
      })
      const { violations } = checkMutex([...stays.flatMap(eventsOf), ...events], bounds)
      assert.deepEqual(
        violations.map(({ property, at }) => [property, at]),
        wrong.map(({ at }) => ['fencing', at]),
      )
    })
    fc.assert(run, { numRuns: 300 })
  })

  it('finds the same overtakers', () => {
    let most = 0
    // Of each visit: who, how long it waits, and whether it is known when it was at a quorum.
    const visits = fc.array(
      fc.record({
        caller: fc.constantFrom('a', 'b', 'c'),
        waits: fc.integer({ min: 1, max: 60 }),
        queued: fc.boolean(),
      }),
      { minLength: 2, maxLength: 10 },
    )
    const run = fc.property(visits, (given) => {
      const requests = given.map(({ caller, waits, queued }, index) => {
        const entered = 100 + 10 * index
        return {
          caller,
          entered,
          asked: entered - waits - 0.5,
          queuedAt: queued ? entered - waits : undefined,
        }
      })
      const history = requests.flatMap(({ caller, entered, asked, queuedAt }, request): MutexEvent[] => {
        const base = { lock: 'door', peer: 'p', life: 1 }
        return [
          { type: 'asked', at: asked, ...base, request, caller },
          ...(queuedAt === undefined ? [] : [{ type: 'queued', at: queuedAt, request } as const]),
          { type: 'entered', at: entered, ...base, request, token: request + 1 },
          { type: 'answered', at: entered, request, outcome: 'entered' },
          { type: 'left', at: entered + 1, ...base, token: request + 1, how: 'released' },
        ]
      })
      const counts = requests.flatMap(({ caller, entered, queuedAt }) =>
        queuedAt === undefined
          ? []
          : ['a', 'b', 'c'].map((other) =>
              other === caller
                ? 0
                : requests.filter(
                    (entry) => entry.caller === other && entry.asked > queuedAt && entry.entered < entered,
                  ).length,
            ),
      )
      const { violations, figures } = checkMutex(history, bounds)
      assert.equal(figures.overtaking, counts.length === 0 ? null : Math.max(...counts))
      assert.equal(violations.length, counts.filter((count) => count > 1).length)
      most = Math.max(most, ...counts)
    })
    fc.assert(run, { numRuns: 500 })
    assert.ok(most > 1, 'somebody was overtaken twice')
  })

  it('judges 50,000 entries in a moment', function () {
    this.timeout(20_000)
    const history = Array.from({ length: 50_000 }, (_, index): MutexEvent[] => {
      const base = { lock: 'door', peer: `p${index % 16}`, life: 1 }
      const [request, token, at] = [index, index + 1, 10 * index]
      return [
        { type: 'asked', at: at - 150, ...base, request },
        { type: 'queued', at: at - 149, request },
        { type: 'entered', at, ...base, token, request },
        { type: 'answered', at: at + 1, request, outcome: 'entered' },
        { type: 'left', at: at + 9, ...base, token, how: 'released' },
      ]
    }).flat()
    const startedAt = performance.now()
    const { violations, figures } = checkMutex(history, bounds)
    const tookMs = performance.now() - startedAt
    assert.deepEqual([violations, figures.entries, figures.jain], [[], 50_000, 1])
    assert.ok(tookMs < 5000, `took ${Math.round(tookMs)} ms`)
  })
})

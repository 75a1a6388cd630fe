import assert from 'node:assert/strict'
import type { HistoryEvent, ViewStatus } from '../../../testnet/checkers/history.ts'
import { checkMedian, noticeTimes } from '../../../testnet/checkers/times.ts'

/** Without `at`: events come one after the other where it does not matter when. */
type Told = HistoryEvent extends infer Event
  ? Event extends { readonly at: number }
    ? Omit<Event, 'at'> & { readonly at?: number }
    : never
  : never

function view(
  at: number,
  observer: string,
  subject: string,
  status: ViewStatus,
  stalled?: boolean,
): HistoryEvent {
  const row = { at, type: 'view', observer, subject, status, generation: 1, incarnation: 0 } as const
  return stalled ? { ...row, stalled } : row
}

/** a, b and c run and see each other; what happens begins at 100. */
function history(...events: readonly Told[]): readonly HistoryEvent[] {
  const peers = ['a', 'b', 'c']
  const starts = peers.flatMap((peer): readonly HistoryEvent[] => [
    { at: 0, type: 'started', peer, life: 1 },
    { at: 1, type: 'ready', peer },
  ])
  const rows = peers.flatMap((observer) => peers.map((subject) => view(2, observer, subject, 'alive')))
  return [...starts, ...rows, ...events.map((event) => ({ at: 100, ...event }) as HistoryEvent)]
}

describe('how soon things are noticed', () => {
  it('is measured from the end until each of the others shows it, by kind of end', () => {
    const times = noticeTimes(
      history(
        { type: 'killed', peer: 'c' },
        view(150, 'a', 'c', 'suspect'),
        view(400, 'a', 'c', 'dead'),
        view(700, 'b', 'c', 'dead'),
        { at: 1000, type: 'left', peer: 'b' },
        view(1010, 'a', 'b', 'left'),
      ),
    )
    assert.deepEqual(times.killed, { count: 2, medianMs: 300, worstMs: 600 })
    assert.deepEqual(times.left, { count: 1, medianMs: 10, worstMs: 10 })
    assert.deepEqual([times.stopped, times.stalled, times.healed], [null, null, null])
  })

  it('is nothing when the peer returns first, and nothing of those who do not run', () => {
    const times = noticeTimes(
      history(
        { type: 'stopped', peer: 'c' },
        { type: 'killed', peer: 'b' },
        view(200, 'b', 'c', 'left'),
        { at: 300, type: 'started', peer: 'c', life: 2 },
        view(400, 'a', 'c', 'left'),
      ),
    )
    assert.deepEqual([times.stopped, times.killed], [null, null])
  })

  it('is measured from a freeze until shown stalled, as long as it lasts', () => {
    const times = noticeTimes(
      history(
        { type: 'paused', peer: 'c' },
        view(300, 'a', 'c', 'suspect'),
        view(500, 'a', 'c', 'suspect', true),
        { at: 600, type: 'resumed', peer: 'c' },
        view(700, 'b', 'c', 'suspect', true),
      ),
    )
    assert.deepEqual(times.stalled, { count: 1, medianMs: 400, worstMs: 400 })
  })

  it('is measured from the mending until a row is alive for the last time before something else is done', () => {
    const times = noticeTimes(
      history(
        { type: 'cut', from: ['a'], to: ['b'] },
        view(200, 'a', 'b', 'dead'),
        { at: 1000, type: 'healed' },
        view(1100, 'a', 'b', 'alive'),
        view(1200, 'a', 'b', 'suspect'),
        view(1400, 'a', 'b', 'alive'),
        view(1500, 'b', 'a', 'alive'),
        { at: 2000, type: 'paused', peer: 'c' },
        view(3000, 'a', 'b', 'alive'),
      ),
    )
    assert.deepEqual(times.healed, { count: 2, medianMs: 400, worstMs: 500 })
  })

  it('breaks a bound on the median only when half of all need longer', () => {
    const told = history(
      { type: 'killed', peer: 'c' },
      view(400, 'a', 'c', 'dead'),
      view(9000, 'b', 'c', 'dead'),
    )
    assert.deepEqual(checkMedian(told, undefined), [])
    assert.deepEqual(checkMedian(told, 300), [])
    const [violation] = checkMedian(told, 299)
    assert.equal(violation?.property, 'median-detection')
    assert.match(violation?.message ?? '', /needed 300 ms or more; the bound is 299 ms/)
  })
})

import assert from 'node:assert/strict'
import type { TraceEvent } from '../../lib/group.ts'
import { GroupTraces } from '../../lib/group-trace.ts'

const event = (group: string, seq: number, after: readonly string[] = []): Omit<TraceEvent, 'index'> =>
  ({ group, host: 'h', hostEpoch: 1, kind: 'deliver', time: 0, sender: 's', epoch: 1, seq, after }) as never

const indexes = (traces: GroupTraces, group: string) => traces.events(group).map(({ index }) => index)

describe('the traces of groups', () => {
  it('number the events of each group from 1, and keep the last 10,000', () => {
    const traces = new GroupTraces()
    for (let seq = 1; seq <= 10_010; seq += 1) traces.record(event('g', seq))
    traces.record(event('other', 1))
    const kept = indexes(traces, 'g')
    assert.deepEqual([kept.length, kept[0], kept.at(-1)], [10_000, 11, 10_010])
    assert.deepEqual(indexes(traces, 'other'), [1])
    assert.deepEqual(traces.events('never'), [])
  })

  it('keep fewer of those that name a crowd', () => {
    const traces = new GroupTraces()
    const crowd = Array.from({ length: 1023 }, (_, i) => `s#${i}:1`)
    for (let seq = 1; seq <= 200; seq += 1) traces.record(event('g', seq, crowd))
    const kept = indexes(traces, 'g')
    assert.deepEqual([kept.length, kept.at(-1)], [97, 200])
  })

  it('share what there is among many groups, and take it from those that have most', () => {
    const traces = new GroupTraces()
    traces.record(event('quiet', 1))
    for (let group = 0; group < 60; group += 1) {
      for (let seq = 1; seq <= 9000; seq += 1) traces.record(event(`g${group}`, seq))
    }
    const counts = Array.from({ length: 60 }, (_, group) => traces.events(`g${group}`).length)
    const all = counts.reduce((sum, count) => sum + count, 0)
    assert.ok(all <= 400_000 && all > 390_000 && Math.min(...counts) > 5000, counts.join())
    assert.deepEqual(indexes(traces, 'quiet'), [1])
    assert.equal(traces.events('g0').at(-1)?.index, 9000)
  })

  it('forget groups that nothing was recorded of for longest', () => {
    const traces = new GroupTraces()
    for (let group = 0; group < 600; group += 1) traces.record(event(`g${group}`, 1))
    assert.deepEqual([indexes(traces, 'g0'), indexes(traces, 'g599')], [[], [1]])
  })
})

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { shiviz } from '../../../testnet/spacetime/shiviz.ts'
import { randomTalk, Talk } from '../checkers/talk.ts'
import { draws, tracesOf } from './traces.ts'

interface Parsed {
  readonly host: string
  readonly clock: Readonly<Record<string, number>>
  readonly event: string
}

/** As ShiViz does: the two head lines become patterns of whole lines, everything after them is the log. */
function parse(text: string): ReadonlyMap<string, readonly Parsed[]> {
  const [pattern = '', delimiter = ''] = text.split('\n', 2)
  const log = text.slice(pattern.length + delimiter.length + 2).trim()
  const labels = ['']
  let parts = [log]
  if (delimiter.trim() !== '') {
    const source = `^${delimiter.trim()}$`
    labels.push(...[...log.matchAll(new RegExp(source, 'gm'))].map(({ groups }) => groups?.trace ?? ''))
    parts = log.split(new RegExp(source.replace('?<trace>', '?:'), 'gm'))
  }
  const executions = new Map<string, readonly Parsed[]>()
  for (const [index, part] of parts.entries()) {
    if (part.trim() === '') continue
    const events = [...part.matchAll(new RegExp(`^${pattern}$`, 'gm'))].map(({ groups }) => ({
      host: groups?.host ?? '',
      clock: JSON.parse(groups?.clock ?? ''),
      event: groups?.event ?? '',
    }))
    executions.set(labels[index] ?? '', events)
  }
  return executions
}

/** What ShiViz refuses: a host that does not count from 1 by 1, a clock with a host or count that is not there. */
function assertAccepted(events: readonly Parsed[]): void {
  const counts = new Map<string, number>()
  const own = new Map<string, number[]>()
  for (const { host, clock } of events) {
    assert.ok(Object.hasOwn(clock, host), `${host} is not in its own clock`)
    own.set(host, [...(own.get(host) ?? []), clock[host] ?? 0])
    counts.set(host, (counts.get(host) ?? 0) + 1)
  }
  for (const [host, times] of own) {
    const sorted = [...times].sort((a, b) => a - b)
    assert.deepEqual(
      sorted,
      Array.from(sorted, (_, index) => index + 1),
      host,
    )
  }
  for (const { clock } of events) {
    for (const [host, count] of Object.entries(clock)) {
      assert.ok(count >= 1 && count <= (counts.get(host) ?? 0), `${host} has no event ${count}`)
    }
  }
}

describe("ShiViz's format", () => {
  it('is exactly this', () => {
    const talk = new Talk('a', 'b')
    talk.deliver('b', talk.publish('a'))
    assert.equal(
      shiviz(tracesOf(talk), new Map([['b', 'the second']])),
      [
        '(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)',
        '',
        'a {"a":1}',
        'publish a#1:1',
        'the_second {"a":1,"the_second":1}',
        'deliver a#1:1',
        '',
      ].join('\n'),
    )
  })

  it('is read back as ShiViz does, by its rules, also where a trace is absent', () => {
    const peers = fc.integer({ min: 2, max: 5 })
    const run = fc.property(
      peers,
      fc.integer({ min: 1, max: 15 }),
      fc.nat(),
      fc.boolean(),
      (n, m, seed, absent) => {
        const events = tracesOf(randomTalk(n, m, draws(seed))).filter(({ host }) => !absent || host !== 'p0')
        if (events.length === 0) return
        const parsed = parse(shiviz(events))
        assert.deepEqual([...parsed.keys()], [''])
        const [execution = []] = parsed.values()
        assertAccepted(execution)
        const real = execution.filter(({ event }) => !event.endsWith('(not in any trace)'))
        assert.equal(real.length, events.length)
      },
    )
    fc.assert(run, { numRuns: 50 })
  })

  it('has an execution for each of several groups', () => {
    const talk = new Talk('a', 'b')
    talk.deliver('b', talk.publish('a'))
    const events = tracesOf(talk)
    const other = events.map((event) => ({ ...event, group: 'orders' }))
    const parsed = parse(shiviz([...events, ...other]))
    assert.deepEqual([...parsed.keys()], ['all', 'orders'])
    for (const execution of parsed.values()) assert.equal(execution.length, 2)
  })
})

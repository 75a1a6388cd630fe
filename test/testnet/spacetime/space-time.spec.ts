import assert from 'node:assert/strict'
import fc from 'fast-check'
import { buildSpaceTime, type SpaceTimeEvent } from '../../../testnet/spacetime/space-time.ts'
import type { TraceEvent } from '../../../testnet/spacetime/trace-event.ts'
import { randomTalk, Talk } from '../checkers/talk.ts'
import { draws, tracesOf } from './traces.ts'

const sizes = [fc.integer({ min: 2, max: 5 }), fc.integer({ min: 1, max: 12 }), fc.nat()] as const

/** Happened-before by walking the edges, without any clock. */
function reachability(events: readonly SpaceTimeEvent[]): (a: SpaceTimeEvent, b: SpaceTimeEvent) => boolean {
  const effects = new Map<SpaceTimeEvent, SpaceTimeEvent[]>(events.map((event) => [event, []]))
  for (const event of events) {
    for (const other of events) {
      const next = event.line === other.line && other.position === event.position + 1
      const received = event.dot === other.dot && event.kind === 'publish' && other.kind === 'deliver'
      if (next || received) effects.get(event)?.push(other)
    }
  }
  const after = new Map<SpaceTimeEvent, Set<SpaceTimeEvent>>()
  for (const event of [...events].reverse()) {
    const reached = new Set<SpaceTimeEvent>()
    for (const effect of effects.get(event) ?? []) {
      reached.add(effect)
      for (const further of after.get(effect) ?? []) reached.add(further)
    }
    after.set(event, reached)
  }
  return (a, b) => after.get(a)?.has(b) === true
}

function happenedBefore(a: SpaceTimeEvent, b: SpaceTimeEvent): boolean {
  return a !== b && (b.clock[a.line] ?? 0) >= a.position
}

function trace(host: string, index: number, kind: 'publish' | 'deliver', dot: string): TraceEvent {
  const [sender = '', seq = ''] = dot.split(':')
  const base = { group: 'all', host, index, hostEpoch: 1, kind, sender, epoch: 1, seq: Number(seq) }
  return { ...base, time: index, after: [] }
}

describe('space-time', () => {
  it('has clocks that agree with happened-before of the events, whatever their order in the files', () => {
    const run = fc.property(...sizes, (peers, messages, seed) => {
      const draw = draws(seed)
      const events = tracesOf(randomTalk(peers, messages, draw))
      const shuffled = [...events].sort(() => draw() - 0.5)
      const built = buildSpaceTime(shuffled).events
      assert.equal(built.length, events.length)
      const reaches = reachability(built)
      for (const a of built) {
        for (const b of built) assert.equal(happenedBefore(a, b), reaches(a, b), `${a.dot} and ${b.dot}`)
      }
    })
    fc.assert(run, { numRuns: 50 })
  })

  it('puts causes before effects, and every event in its own clock', () => {
    const run = fc.property(...sizes, (peers, messages, seed) => {
      const { events } = buildSpaceTime(tracesOf(randomTalk(peers, messages, draws(seed))))
      for (const [place, event] of events.entries()) {
        assert.equal(event.clock[event.line], event.position)
        for (const later of events.slice(place + 1)) assert.ok(!happenedBefore(later, event))
      }
    })
    fc.assert(run, { numRuns: 50 })
  })

  it('puts in what only the deliveries of others show of a host without a trace', () => {
    const run = fc.property(...sizes, (peers, messages, seed) => {
      const all = tracesOf(randomTalk(peers, messages, draws(seed)))
      const events = all.filter(({ host }) => host !== 'p0')
      const { events: built, lines } = buildSpaceTime(events)
      const seqs = built.filter(({ line }) => lines[line] === 'p0').map(({ message }) => message.seq)
      const published = all.filter(({ host, kind }) => host === 'p0' && kind === 'publish').length
      assert.deepEqual(
        seqs,
        Array.from({ length: published }, (_, index) => index + 1),
      )
      assert.ok(built.every(({ synthesised, line }) => synthesised === (lines[line] === 'p0')))
      const whole = buildSpaceTime(all).events.filter(({ kind }) => kind === 'publish')
      const publications = built.filter(({ kind }) => kind === 'publish')
      // The direct dependencies tell what the missing host had delivered.
      for (const [a, b] of whole.flatMap((x) => whole.map((y) => [x, y] as const))) {
        const [c, d] = [a, b].map(({ dot }) => publications.find((event) => event.dot === dot))
        if (c !== undefined && d !== undefined) assert.equal(happenedBefore(c, d), happenedBefore(a, b))
      }
    })
    fc.assert(run, { numRuns: 50 })
  })

  it('puts what a trace has lost at its beginning before it', () => {
    const events = [
      trace('a', 3, 'publish', 'a:3'),
      trace('b', 1, 'deliver', 'a:1'),
      trace('b', 2, 'deliver', 'a:2'),
    ]
    const { events: built, lines } = buildSpaceTime(events)
    const ofA = built.filter(({ line }) => lines[line] === 'a').sort((a, b) => a.position - b.position)
    assert.deepEqual(
      ofA.map(({ dot, synthesised }) => [dot, synthesised]),
      [
        ['a#1:1', true],
        ['a#1:2', true],
        ['a#1:3', false],
      ],
    )
  })

  it('gives each life of a host a line, concurrent with the other but for what messages say', () => {
    const talk = new Talk('a', 'b')
    talk.deliver('b', talk.publish('a'))
    talk.kill('a').enter('a')
    talk.publish('a')
    const { lines, events } = buildSpaceTime(tracesOf(talk), new Map([['a', 'the first']]))
    assert.deepEqual(lines, ['the_first/1', 'b', 'the_first/2'])
    const [one, , two] = events
    assert.ok(one !== undefined && two !== undefined && !happenedBefore(one, two))
  })

  it('keeps names apart that become the same', () => {
    const { lines } = buildSpaceTime(
      [trace('a', 1, 'publish', 'a:1'), trace('b', 1, 'deliver', 'a:1')],
      new Map([
        ['a', 'my host'],
        ['b', 'my_host'],
      ]),
    )
    assert.deepEqual(lines, ['my_host', 'b'])
  })

  it('takes an event that comes twice once, and refuses two that are different', () => {
    const event = trace('a', 1, 'publish', 'a:1')
    assert.equal(buildSpaceTime([event, event]).events.length, 1)
    assert.throws(() => buildSpaceTime([event, { ...event, seq: 2 }]), /a has two events 1 in life 1/)
  })

  it('refuses events that contradict each other', () => {
    const events = [
      trace('a', 1, 'deliver', 'b:1'),
      trace('a', 2, 'publish', 'a:1'),
      trace('b', 1, 'deliver', 'a:1'),
      trace('b', 2, 'publish', 'b:1'),
    ]
    assert.throws(() => buildSpaceTime(events), { name: 'TraceError', message: /contradict each other/ })
  })

  it('refuses what would not fit into memory', () => {
    const events = Array.from({ length: 5000 }, (_, index) => trace(`h${index}`, 1, 'deliver', 'a:1'))
    assert.throws(() => buildSpaceTime(events), /5001 events of 5001 lives of hosts are too many/)
  })
})

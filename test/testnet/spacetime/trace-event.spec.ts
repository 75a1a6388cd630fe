import assert from 'node:assert/strict'
import { parseDot, parseTraceLines, TraceError, traceLimits } from '../../../testnet/spacetime/trace-event.ts'

const good = {
  ...{ group: 'all', host: 'a', index: 1, hostEpoch: 7, kind: 'publish', sender: 'a', epoch: 7, seq: 1 },
  ...{ time: 1, after: ['b#3:2'] },
}

describe('a trace', () => {
  it('is read line by line; what it has more is ignored', () => {
    const text = `${JSON.stringify(good)}\n\n${JSON.stringify({ ...good, index: 2, more: true })}`
    assert.deepEqual(parseTraceLines(text), [good, { ...good, index: 2 }])
    assert.deepEqual(parseTraceLines(''), [])
  })

  for (const [what, line, expected] of [
    ['is cut off', '{"group":"a', /line 2 is not JSON/],
    ['is no object', '3', /line 2 is no object/],
    ['has no group', JSON.stringify({ ...good, group: '' }), /line 2 has no 'group'/],
    ['has a host with white space', JSON.stringify({ ...good, host: 'a b' }), /line 2 has no 'host'/],
    ['has a host that is too long', JSON.stringify({ ...good, host: 'a'.repeat(257) }), /no 'host'/],
    ['counts from 0', JSON.stringify({ ...good, index: 0 }), /line 2 has no whole number 'index' from 1/],
    ['has half a sequence number', JSON.stringify({ ...good, seq: 0.5 }), /'seq' from 1/],
    ['is of another kind', JSON.stringify({ ...good, kind: 'think' }), /'kind' that is publish or deliver/],
    ['follows something else', JSON.stringify({ ...good, after: ['b'] }), /line 2 has no list 'after'/],
    ['follows too much', JSON.stringify({ ...good, after: new Array(1025).fill('b#1:1') }), /'after'/],
  ] as const) {
    it(`is refused, with the line, when one ${what}`, () => {
      assert.throws(
        () => parseTraceLines(`${JSON.stringify(good)}\n${line}\n`),
        (error) => {
          assert.ok(error instanceof TraceError)
          assert.equal(error.line, 2)
          assert.match(error.message, expected)
          return true
        },
      )
    })
  }

  it('has a limit of its lines', () => {
    const text = '\n'.repeat(traceLimits.lines)
    assert.deepEqual(parseTraceLines(text), [])
    assert.throws(() => parseTraceLines(`${text}\n`), { line: traceLimits.lines + 1 })
  })

  it('names messages by dots', () => {
    assert.deepEqual(parseDot('a#3:2'), { sender: 'a', epoch: 3, seq: 2 })
    for (const text of ['', 'a', 'a#3', 'a#3:0', 'a#x:1', 'a b#3:1', `a#3:${'9'.repeat(16)}`]) {
      assert.equal(parseDot(text), undefined, text)
    }
  })
})

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { SseDecoder, type SseMessage } from '../../../daemon/client/sse.ts'

const encoder = new TextEncoder()

function decodeWhole(text: string): readonly SseMessage[] {
  return new SseDecoder(1_000_000).push(encoder.encode(text))
}

describe('the decoder of server-sent events', () => {
  const cases: readonly { name: string; text: string; messages: readonly Partial<SseMessage>[] }[] = [
    {
      name: 'a named event',
      text: 'event: member\ndata: {}\n\n',
      messages: [{ event: 'member', data: '{}' }],
    },
    { name: 'an event without a name', text: 'data: x\n\n', messages: [{ event: 'message', data: 'x' }] },
    { name: 'data over several lines', text: 'data: a\ndata:b\n\n', messages: [{ data: 'a\nb' }] },
    { name: 'only one space is taken off', text: 'data:  a\n\n', messages: [{ data: ' a' }] },
    {
      name: 'CRLF and CR line ends',
      text: 'data: a\r\n\r\ndata: b\r\r',
      messages: [{ data: 'a' }, { data: 'b' }],
    },
    { name: 'a comment says nothing', text: ': heartbeat\n\ndata: a\n\n', messages: [{ data: 'a' }] },
    { name: 'an event without data is none', text: 'event: member\n\n', messages: [] },
    { name: 'an unfinished event is none', text: 'data: a\n', messages: [] },
    { name: 'an id stays', text: 'id: 7\ndata: a\n\ndata: b\n\n', messages: [{ id: '7' }, { id: '7' }] },
    { name: 'unknown fields are passed over', text: 'retry: 5\nx\ndata: a\n\n', messages: [{ data: 'a' }] },
  ]
  for (const { name, text, messages } of cases) {
    it(name, () => {
      const decoded = decodeWhole(text)
      assert.equal(decoded.length, messages.length)
      messages.forEach((message, index) => {
        for (const [key, value] of Object.entries(message)) {
          assert.equal(Reflect.get(decoded[index] ?? {}, key), value)
        }
      })
    })
  }

  it('decodes the same wherever the bytes are cut', () => {
    const piece = fc.constantFrom(
      'data: ä€😀',
      'event: member',
      'id: 3',
      ': x',
      '\n',
      '\r',
      '\r\n',
      '\n\n',
      'data:{}',
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 30 }),
        fc.array(fc.nat(400), { maxLength: 20 }),
        (pieces, cuts) => {
          const bytes = encoder.encode(pieces.join(''))
          const decoder = new SseDecoder(1_000_000)
          const marks = [
            0,
            ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b),
            bytes.length,
          ]
          const messages = marks
            .slice(1)
            .flatMap((end, index) => decoder.push(bytes.subarray(marks[index], end)))
          assert.deepEqual(messages, decodeWhole(pieces.join('')))
        },
      ),
    )
  })

  it('refuses a line that never ends before it is kept', () => {
    const decoder = new SseDecoder(100)
    decoder.push(encoder.encode(`data: ${'x'.repeat(90)}`))
    assert.throws(() => decoder.push(encoder.encode('xxxxxxxxxx')), { code: 'ERR_ANSWER_TOO_LARGE' })
  })

  it('refuses an event of endlessly many lines', () => {
    const decoder = new SseDecoder(100)
    assert.throws(() => decoder.push(encoder.encode('data: 0123456789\n'.repeat(10))), {
      code: 'ERR_ANSWER_TOO_LARGE',
    })
  })

  it('outlives any number of heartbeats and events', () => {
    const decoder = new SseDecoder(100)
    for (let i = 0; i < 50; i++) {
      decoder.push(encoder.encode(': heartbeat\n'))
      assert.equal(decoder.push(encoder.encode(`data: ${i}\n\n`)).length, 1)
    }
  })
})

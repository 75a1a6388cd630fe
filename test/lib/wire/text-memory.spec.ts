import assert from 'node:assert/strict'
import fc from 'fast-check'
import { WireError } from '../../../lib/wire/errors.ts'
import { TextMemory } from '../../../lib/wire/text-memory.ts'

function counting() {
  let decoded = 0
  const memory = new TextMemory(8, (bytes) => {
    decoded += 1
    if (bytes.includes(0)) throw new WireError('ERR_MALFORMED', 'a zero')
    return Buffer.from(bytes).toString('latin1')
  })
  return {
    decoded: () => decoded,
    text: (text: string) => {
      const bytes = Buffer.from(`<<${text}>>`, 'latin1')
      return memory.text(bytes, 2, bytes.length - 2)
    },
  }
}

describe('a memory of texts', () => {
  it('gives what would be decoded, whatever came before', () => {
    const memory = counting()
    const texts = fc.stringMatching(/^[a-c]{0,8}$/)
    fc.assert(
      fc.property(fc.array(texts, { minLength: 1, maxLength: 50 }), (some) => {
        for (const text of some) assert.equal(memory.text(text), text)
      }),
      { numRuns: 500 },
    )
  })

  it('decodes once what comes again', () => {
    const memory = counting()
    for (let i = 0; i < 10; i++) assert.equal(memory.text('alice'), 'alice')
    assert.equal(memory.decoded(), 1)
    assert.equal(memory.text('alicf'), 'alicf')
    assert.equal(memory.decoded(), 2)
  })

  it('tells apart names that differ in a single place', () => {
    const memory = counting()
    const names = Array.from({ length: 100 }, (_, i) => `${String.fromCharCode(33 + i)}-lock`)
    for (const name of [...names, ...names]) assert.equal(memory.text(name), name)
    assert.ok(memory.decoded() < 130, `${memory.decoded()} of 100`)
  })

  it('keeps no more than 1024, however many come', () => {
    const memory = counting()
    for (let i = 0; i < 5000; i++) memory.text(`${i}`)
    const before = memory.decoded()
    for (let i = 0; i < 5000; i++) memory.text(`${i}`)
    assert.ok(memory.decoded() - before >= 5000 - 1024)
  })

  it('refuses what is too long before it looks at it, and remembers nothing that is refused', () => {
    const memory = counting()
    assert.throws(() => memory.text('123456789'), WireError)
    assert.equal(memory.decoded(), 0)
    assert.throws(() => memory.text('a\0'), WireError)
    assert.throws(() => memory.text('a\0'), WireError)
    assert.equal(memory.decoded(), 2)
  })

  it('shares nothing with the bytes that it is given', () => {
    const memory = new TextMemory(8, (bytes) => Buffer.from(bytes).toString('latin1'))
    const bytes = Buffer.from('alice')
    assert.equal(memory.text(bytes, 0, 5), 'alice')
    bytes.fill(65)
    assert.equal(memory.text(Buffer.from('alice'), 0, 5), 'alice')
    assert.equal(memory.text(bytes, 0, 5), 'AAAAA')
  })
})

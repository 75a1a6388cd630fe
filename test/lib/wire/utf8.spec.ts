import assert from 'node:assert/strict'
import fc from 'fast-check'
import { WireError } from '../../../lib/wire/errors.ts'
import { eachUtf8Byte, utf8Length, utf8Text } from '../../../lib/wire/utf8.ts'

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string())

function bytesOf(text: string): number[] {
  const bytes: number[] = []
  eachUtf8Byte(text, (byte) => bytes.push(byte))
  return bytes
}

describe('UTF-8 without an encoder', () => {
  it('has the bytes of the platform, lone surrogates replaced', () => {
    const units = fc.array(fc.integer({ min: 0xd700, max: 0xe0ff }))
    fc.assert(
      fc.property(
        fc.oneof(
          texts,
          units.map((some) => String.fromCharCode(...some)),
        ),
        (text) => {
          const bytes = [...new TextEncoder().encode(text)]
          assert.deepEqual(bytesOf(text), bytes)
          assert.equal(utf8Length(text), bytes.length)
        },
      ),
    )
  })

  it('reads what the platform writes', () => {
    fc.assert(
      fc.property(texts, (text) => {
        assert.equal(utf8Text(new TextEncoder().encode(text)), text)
      }),
    )
    const long = 'aé€😀'.repeat(5000)
    assert.equal(utf8Text(new TextEncoder().encode(long)), long)
  })

  it('takes what the platform takes, and refuses the rest with a WireError', () => {
    const nearly = fc.tuple(texts, fc.nat(), fc.integer({ min: 0, max: 255 })).map(([text, at, byte]) => {
      const bytes = new TextEncoder().encode(text)
      if (bytes.length > 0) bytes[at % bytes.length] = byte
      return bytes
    })
    // Where well-formed and ill-formed lie close together.
    const edges = fc.array(
      fc.constantFrom(
        0,
        0x7f,
        0x80,
        0x8f,
        0x90,
        0x9f,
        0xa0,
        0xbf,
        0xc0,
        0xc1,
        0xc2,
        0xdf,
        0xe0,
        0xed,
        0xef,
        0xf0,
        0xf4,
        0xf5,
        0xff,
      ),
      { maxLength: 5 },
    )
    fc.assert(
      fc.property(
        fc.oneof(
          nearly,
          edges.map((some) => Uint8Array.from(some)),
        ),
        (bytes) => {
          let expected: string
          try {
            expected = strict.decode(bytes)
          } catch {
            assert.throws(() => utf8Text(bytes), WireError)
            return
          }
          assert.equal(utf8Text(bytes), expected)
        },
      ),
      { numRuns: 3000 },
    )
  })
})

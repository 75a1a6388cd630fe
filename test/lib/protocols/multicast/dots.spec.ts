import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import {
  compareDots,
  dotText,
  entryKey,
  fromHex,
  groupIdOf,
  packDots,
  parseEntryKey,
  toHex,
  unpackDots,
} from '../../../../lib/protocols/multicast/dots.ts'
import { WireError } from '../../../../lib/wire/errors.ts'
import { alice, authors, dots, epochs, keyOf, sha256 } from './sealing.ts'

const malformed = (error: unknown) => error instanceof WireError && error.code === 'ERR_MALFORMED'

describe('dots', () => {
  it('come back from 24 bytes each as they were', () => {
    fc.assert(
      fc.property(fc.array(dots, { maxLength: 20 }), (some) => {
        const bytes = packDots(some)
        assert.equal(bytes.length, 24 * some.length)
        assert.deepEqual(unpackDots(bytes, 20), some)
      }),
    )
  })

  it('sort like their bytes, so that one frontier has one form', () => {
    fc.assert(
      fc.property(dots, dots, fc.boolean(), fc.boolean(), (a, other, sameAuthor, sameEpoch) => {
        const b = {
          ...other,
          ...(sameAuthor ? { author: a.author } : {}),
          ...(sameEpoch ? { epoch: a.epoch } : {}),
        }
        assert.equal(Math.sign(compareDots(a, b)), Buffer.compare(packDots([a]), packDots([b])))
      }),
    )
  })

  it('are big-endian: 12 bytes of the author, 7 of the epoch, 5 of the seq', () => {
    const dot = { author: keyOf(alice), epoch: 0x01_02_03_04_05_06, seq: 0x07_08_09_0a_0b }
    const text = `${keyOf(alice)}000102030405060708090a0b`
    assert.equal(Buffer.from(packDots([dot])).toString('hex'), text)
  })

  it('are refused with a seq of 0, an epoch beyond 2^52 or half a dot', () => {
    const bytes = packDots([{ author: keyOf(alice), epoch: 2 ** 52, seq: 1 }])
    assert.equal(unpackDots(bytes, 1).length, 1)
    const seqless = bytes.slice()
    seqless[23] = 0
    assert.throws(() => unpackDots(seqless, 1), malformed)
    const late = bytes.slice()
    late[18] = 1
    assert.throws(() => unpackDots(late, 1), malformed)
    assert.throws(() => unpackDots(new Uint8Array(24).fill(0xff), 1), malformed)
    assert.throws(() => unpackDots(bytes.subarray(1), 1), malformed)
  })

  it('are refused by their length when a million of them come, before any is made', () => {
    const bytes = new Uint8Array(24 * 1_000_000).fill(1)
    const before = process.memoryUsage().heapUsed
    assert.throws(() => unpackDots(bytes, 1024), malformed)
    assert.ok(process.memoryUsage().heapUsed - before < 1_000_000)
  })

  it('have a text that tells them apart', () => {
    assert.equal(dotText({ author: keyOf(alice), epoch: 5, seq: 6 }), `${keyOf(alice)}#5:6`)
  })
})

describe('an entry key', () => {
  it('gives back its author and epoch', () => {
    fc.assert(
      fc.property(authors, epochs, (author, epoch) => {
        assert.deepEqual(parseEntryKey(entryKey(author, epoch)), { author, epoch })
      }),
    )
  })
})

describe('an author key', () => {
  it('is the first 12 bytes of SHA-256 of the peer id', () => {
    assert.equal(keyOf(alice), createHash('sha256').update(alice).digest('hex').slice(0, 24))
  })
})

describe('a group id', () => {
  it('is the first 16 bytes of SHA-256 of the tagged name', () => {
    const expected = createHash('sha256').update('p2pd group\0chat').digest('hex').slice(0, 32)
    assert.equal(groupIdOf('chat', sha256), expected)
  })
})

describe('hexadecimal', () => {
  it('is what Buffer makes of it, there and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        const text = Buffer.from(bytes).toString('hex')
        assert.equal(toHex(bytes), text)
        assert.deepEqual(fromHex(text), bytes)
      }),
    )
  })

  it('is refused when it is none', () => {
    for (const text of ['0', '0g', 'AB', '-1', '  ', 'é0', '\u{1F600}']) {
      assert.throws(() => fromHex(text), malformed, JSON.stringify(text))
    }
  })
})

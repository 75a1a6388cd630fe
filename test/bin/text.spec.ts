import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describePeer, shortId, shortIds } from '../../bin/peer-id.ts'
import { cut } from '../../bin/screen.ts'
import { plain, printable, styleFor } from '../../bin/style.ts'
import { suggest } from '../../bin/suggest.ts'
import { renderTable } from '../../bin/table.ts'

const red = (text: string) => `\x1b[31m${text}\x1b[39m`

describe('a table', () => {
  it('aligns columns by their widest cell and leaves no blanks at the ends', () => {
    assert.deepEqual(
      renderTable([
        ['a', 'bb', 'c'],
        ['aaa', 'b', ''],
      ]),
      ['a    bb  c', 'aaa  b'],
    )
  })

  it('gives colour no room', () => {
    assert.deepEqual(
      renderTable([
        [{ text: 'ab', paint: red }, 'x'],
        ['abc', 'y'],
      ]),
      [`${red('ab')}   x`, 'abc  y'],
    )
  })

  it('lets no cell steer the terminal', () => {
    assert.deepEqual(renderTable([['a\x1b[2J\nb', '\u202edcba']]), ['a?[2J?b  ?dcba'])
  })
})

describe('printable text', () => {
  it('never holds a control character, and keeps every other', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = printable(text)
        assert.equal(/[\p{Cc}\p{Cf}]/u.test(shown), false)
        assert.equal([...shown].length, [...text].length)
      }),
    )
    assert.equal(printable('naïve 名 😀'), 'naïve 名 😀')
  })
})

describe('colour', () => {
  const terminal = { isTTY: true, write: () => true }
  it('is used on a terminal', () => assert.notEqual(styleFor(terminal, {}).red('x'), 'x'))
  it('is not used elsewhere', () => assert.equal(styleFor({ write: () => true }, {}), plain))
  it('is not used with NO_COLOR', () => assert.equal(styleFor(terminal, { NO_COLOR: '1' }), plain))
  it('is used with an empty NO_COLOR', () => assert.notEqual(styleFor(terminal, { NO_COLOR: '' }), plain))
  it('is not used on a dumb terminal', () => assert.equal(styleFor(terminal, { TERM: 'dumb' }), plain))
})

describe('a line cut to the screen', () => {
  it('keeps what fits', () => assert.equal(cut('abc', 3), 'abc'))
  it('loses what does not fit', () => assert.equal(cut('abcd', 3), 'abc'))
  it('ends its colour all the same', () => assert.equal(cut(`a${red('bcd')}e`, 3), `a${red('bc')}`))
})

describe('a short id', () => {
  const id = '12D3KooWabcdefgh'
  it('has twelve characters', () => assert.equal(shortId(id, [id]), '12D3KooWabcd'))
  it('has more where another shares them', () =>
    assert.equal(shortId(id, [id, '12D3KooWabcdeXXX']), '12D3KooWabcdef'))
  it('is the same when all are asked for at once', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 16 })), (all) => {
        const ids = all.map((end) => `12D3KooWab${end}`)
        assert.deepEqual(shortIds(ids), new Map(ids.map((one) => [one, shortId(one, ids)])))
      }),
    )
  })
  it('is a prefix that belongs to this peer alone', () => {
    const ids = fc.uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 20, maxLength: 20 }), {
      minLength: 2,
    })
    fc.assert(
      fc.property(ids, (all) => {
        for (const peerId of all) {
          assert.deepEqual(
            all.filter((other) => other.startsWith(shortId(peerId, all))),
            [peerId],
          )
        }
      }),
    )
  })
  it('stands behind the name', () =>
    assert.equal(describePeer({ peerId: id, name: 'm2' }), 'm2 (12D3KooWabcd)'))
})

describe('a suggestion', () => {
  const words = ['status', 'members', 'ping', 'peers', 'init', 'invite']
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['statu', 'status'],
    ['stauts', 'status'],
    ['mem', 'members'],
    ['pnig', 'ping'],
    ['inv', 'invite'],
    ['xyz', undefined],
    ['', undefined],
    ['x'.repeat(10_000), undefined],
  ]
  for (const [word, meant] of cases) {
    it(`for ${word.slice(0, 10)} is ${meant}`, () => assert.equal(suggest(word, words), meant))
  }
})

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { isTagKey, isTagValue, splitTag, tagsProblem } from '../../../lib/wire/tag.ts'

describe('a tag', () => {
  it('has a key that needs no quotes, and a value that cannot steer a terminal', () => {
    for (const key of ['role', 'a.b-c_D', '0', 'x'.repeat(64)]) assert.ok(isTagKey(key), key)
    for (const key of ['', 'a b', 'a=b', 'é', 'x'.repeat(65), '__proto__']) assert.ok(!isTagKey(key), key)
    for (const value of ['', 'a=b, c', '~'.repeat(256)]) assert.ok(isTagValue(value), value)
    for (const value of ['\n', 'é', '\x1b[2J', '~'.repeat(257)]) assert.ok(!isTagValue(value), value)
  })

  it('is taken apart at its first equals sign, and put together again', () => {
    assert.deepEqual(splitTag('role=a=b'), ['role', 'a=b'])
    assert.deepEqual(splitTag('role='), ['role', ''])
    for (const text of ['', 'role', '=web']) assert.equal(splitTag(text), undefined)
    const key = fc.stringMatching(/^[A-Za-z0-9._-]{1,8}$/)
    fc.assert(
      fc.property(key, fc.string(), (name, value) => {
        assert.deepEqual(splitTag(`${name}=${value}`), [name, value])
      }),
    )
  })

  it('has its faults named', () => {
    assert.equal(tagsProblem({}), undefined)
    assert.equal(tagsProblem({ role: 'web', zone: '' }), undefined)
    assert.match(tagsProblem({ 'a b': '' }) ?? '', /^hold "a b": a key has 1 to 64 letters/)
    assert.match(tagsProblem({ a: '\n' }) ?? '', /^hold "a" with a value/)
    assert.match(tagsProblem({ a: 3 }) ?? '', /^hold "a" with a value/)
    assert.match(tagsProblem(JSON.parse('{"__proto__":"x"}')) ?? '', /"__proto__"/)
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`k${at}`, '']))
    assert.equal(tagsProblem(many), 'are 33, and at most 32 are taken')
  })
})

import assert from 'node:assert/strict'
import { isLockName } from '../../../../plugins/mutex/core/lock-name.ts'

describe('the name of a lock', () => {
  it('has 1 to 256 bytes of UTF-8, and is well-formed', () => {
    for (const name of ['a', 'orders/42', ' ', 'Straße', '錠前', '🔒', 'a'.repeat(256), 'é'.repeat(128)]) {
      assert.ok(isLockName(name), name)
    }
    for (const name of ['', 'a'.repeat(257), 'é'.repeat(129), '🔒'.repeat(65), '\ud83d', 'a\udd12']) {
      assert.ok(!isLockName(name), name)
    }
  })

  it('holds nothing that would repaint or reorder the line that shows it', () => {
    for (const name of ['\n', 'a\u001b[2J', '\u0000', '\u007f', '\u0085', '\u2028', 'a\u202eb', '\u2066']) {
      assert.ok(!isLockName(name), JSON.stringify(name))
    }
  })
})

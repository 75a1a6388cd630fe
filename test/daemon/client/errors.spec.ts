import assert from 'node:assert/strict'
import { connectionError } from '../../../daemon/client/errors.ts'
import { P2pdError } from '../../../lib/wire/errors.ts'

describe('a failed connection to the daemon', () => {
  const cases = {
    ENOENT: 'ERR_DAEMON_NOT_RUNNING',
    ENOTDIR: 'ERR_DAEMON_NOT_RUNNING',
    ECONNREFUSED: 'ERR_DAEMON_NOT_RUNNING',
    EACCES: 'ERR_DENIED',
    EPERM: 'ERR_DENIED',
    ECONNRESET: 'ERR_CONNECTION_LOST',
    EPIPE: 'ERR_CONNECTION_LOST',
  }
  for (const [systemCode, code] of Object.entries(cases)) {
    it(`of ${systemCode} is ${code}, names the data directory and says what to do`, () => {
      const error = connectionError(Object.assign(new Error('x'), { code: systemCode }), '/data/of/m1')
      assert.equal(error.code, code)
      assert.match(error.message, /\/data\/of\/m1/)
      assert.ok(error.hint)
    })
  }

  it('that is explained already stays as it is', () => {
    const error = new P2pdError('ERR_TIMEOUT', 'x')
    assert.equal(connectionError(error, '/data'), error)
  })
})

import assert from 'node:assert/strict'
import { reportError } from '../../bin/report.ts'
import { ControlError } from '../../daemon/client/errors.ts'
import { P2pdError } from '../../lib/wire/errors.ts'

function report(error: unknown, json: boolean): { text: string; exitCode: number } {
  let text = ''
  const stderr = {
    write(chunk: string) {
      text += chunk
      return true
    },
  }
  const exitCode = reportError(error, json, stderr)
  return { text, exitCode }
}

describe('a failure', () => {
  const exitCodes = {
    ERR_USAGE: 2,
    ERR_CONFIRM: 2,
    ERR_AMBIGUOUS_PEER: 2,
    ERR_DAEMON_NOT_RUNNING: 3,
    ERR_CONNECTION_LOST: 3,
    ERR_TIMEOUT: 4,
    ERR_DENIED: 6,
    ERR_SOMETHING_NEW: 1,
  } as const
  for (const [code, exitCode] of Object.entries(exitCodes)) {
    it(`with ${code} exits with ${exitCode}`, () => {
      assert.equal(report(new P2pdError(code as 'ERR_USAGE', 'x'), false).exitCode, exitCode)
    })
  }

  it('is one line with code and hint', () => {
    const error = new P2pdError('ERR_PORT_IN_USE', 'port 4001 is taken', { hint: 'choose another' })
    assert.equal(
      report(error, false).text,
      'p2pd: ERR_PORT_IN_USE: port 4001 is taken; hint: choose another\n',
    )
    assert.equal(report(new P2pdError('ERR_X', 'y'), false).text, 'p2pd: ERR_X: y\n')
  })

  it('is one line whatever its message holds', () => {
    assert.equal(report(new P2pdError('ERR_X', 'a\nb\x1b[2J'), false).text, 'p2pd: ERR_X: a?b?[2J\n')
  })

  it('is an object with --json', () => {
    const error = new P2pdError('ERR_X', 'y', { hint: 'z' })
    assert.deepEqual(JSON.parse(report(error, true).text), {
      error: { code: 'ERR_X', message: 'y', hint: 'z' },
    })
    assert.deepEqual(JSON.parse(report(new P2pdError('ERR_X', 'y'), true).text), {
      error: { code: 'ERR_X', message: 'y', hint: null },
    })
  })

  it('names the candidates, told apart', () => {
    const peers = [
      { peerId: '12D3KooWabcdefgh', name: 'a' },
      { peerId: '12D3KooWabcdeXXX', name: '' },
    ]
    const { text } = report(new ControlError('ERR_AMBIGUOUS_PEER', 'which', 'say more', peers), false)
    assert.equal(
      text,
      'p2pd: ERR_AMBIGUOUS_PEER: which: a (12D3KooWabcdef), 12D3KooWabcdeX; hint: say more\n',
    )
  })

  it('names the candidates with --json', () => {
    const peers = [{ peerId: '12D3KooWa', name: 'a' }]
    const { text } = report(new ControlError('ERR_AMBIGUOUS_PEER', 'which?', undefined, peers), true)
    assert.deepEqual(JSON.parse(text).error.peers, peers)
  })

  for (const thrown of [new TypeError('boom\n    at somewhere'), 'boom', undefined]) {
    it(`that nobody foresaw has no stack trace: ${typeof thrown}`, () => {
      const { text, exitCode } = report(thrown, false)
      assert.match(text, /^p2pd: ERR_INTERNAL: .*; hint: .*report.*\n$/)
      assert.equal(text.includes('somewhere'), false)
      assert.equal(exitCode, 1)
    })
  }
})

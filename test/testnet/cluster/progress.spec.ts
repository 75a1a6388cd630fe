import assert from 'node:assert/strict'
import { createProgress, type Environment } from '../../../testnet/cluster/progress.ts'

function written(isTTY: boolean, env: Environment): string {
  let text = ''
  const output = {
    isTTY,
    write(chunk: string) {
      text += chunk
      return true
    },
  }
  const progress = createProgress(output, env)
  progress.note('a note')
  progress.begin('starting')
  progress.end('ok', 'started')
  progress.begin('breaking')
  progress.end('failed', 'broken')
  return text
}

describe('progress', () => {
  it('is one plain line a phase where nobody watches', () => {
    assert.equal(written(false, {}), '        a note\nok      started\nFAILED  broken\n')
  })

  it('is live and coloured on a terminal', () => {
    const text = written(true, {})
    assert.match(text, /starting/)
    assert.ok(text.includes('\x1b[32m✓\x1b[39m started\n'))
    assert.ok(text.includes('\x1b[31m✗\x1b[39m broken\n'))
  })

  it('has no colour with NO_COLOR, and nothing live on a dumb terminal', () => {
    const text = written(true, { NO_COLOR: '1' })
    assert.ok(text.includes('✓ started\n'))
    assert.ok(!text.includes('\x1b[3'))
    assert.equal(written(true, { TERM: 'dumb' }), written(false, {}))
  })
})

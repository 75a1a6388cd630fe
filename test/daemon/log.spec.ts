import assert from 'node:assert/strict'
import { crashLine } from '../../daemon/crash.ts'
import { createLog, humanLine } from '../../daemon/log.ts'

describe('the log', () => {
  it('is one line an event for people', () => {
    const lines: string[] = []
    const log = createLog(
      { write: (line) => lines.push(line) },
      { level: 'info', json: false, colour: false },
    )
    log.debug('not this')
    log.info({ member: 'm1', note: 'two words' }, 'member dead')
    log.error({ err: Object.assign(new Error('broken'), { code: 'ERR_X' }) }, 'a request failed')
    assert.equal(lines.length, 2)
    assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d INFO {2}member dead member=m1 note="two words"\n$/)
    assert.match(lines[1] ?? '', /^\d\d:\d\d:\d\d ERROR a request failed error=broken code=ERR_X\n$/)
  })

  it('is JSON for programs', () => {
    const lines: string[] = []
    const log = createLog({ write: (line) => lines.push(line) }, { level: 'warn', json: true, colour: false })
    log.warn({ code: 'ERR_DISK_FULL' }, 'no space')
    const { level, code, msg, pid } = JSON.parse(lines.join(''))
    assert.deepEqual(
      { level, code, msg, pid },
      { level: 'warn', code: 'ERR_DISK_FULL', msg: 'no space', pid: undefined },
    )
  })

  it('passes on what it cannot read', () => {
    assert.equal(humanLine('plain\n', false), 'plain\n')
  })

  it('tells of a defect in one line that says where', () => {
    const error = new TypeError('x is not a function')
    assert.match(
      crashLine(error, false),
      /^p2pd: ERR_INTERNAL: x is not a function \(.*log\.spec\.js.*\); hint: .*\n$/,
    )
    assert.equal(JSON.parse(crashLine('odd', true)).error.code, 'ERR_INTERNAL')
  })
})

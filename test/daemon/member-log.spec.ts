import assert from 'node:assert/strict'
import { createLog } from '../../daemon/log.ts'
import { MemberLog } from '../../daemon/member-log.ts'
import { eventually } from '../support/eventually.ts'
import { ids, view } from './support/fake-peer.ts'

describe('the log of members', () => {
  let lines: Record<string, unknown>[]
  const nameOf = (peer: string) => (peer === ids[2] ? 'm2' : peer)
  const sink = { write: (line: string) => lines.push(JSON.parse(line)) }
  const log = (level: 'info' | 'debug' = 'info') => createLog(sink, { level, json: true, colour: false })

  beforeEach(() => {
    lines = []
  })

  it('says who says so, and why somebody left', () => {
    const members = new MemberLog(log(), nameOf)
    members.changed('dead', view(ids[1], 'm1', { status: 'dead', accusers: [ids[0], ids[2]] }))
    members.changed('left', view(ids[1], 'm1', { status: 'left', reason: 'stopping' }))
    members.changed('alive', view(ids[1], 'm1'))
    members.stop()
    assert.deepEqual(
      lines.map(({ msg, by, reason }) => [msg, by, reason]),
      [
        ['member dead', [ids[0], 'm2'], undefined],
        ['member left', undefined, 'stopping'],
        ['member alive', undefined, undefined],
      ],
    )
  })

  it('warns that this peer hears from nobody, and says when that is over', () => {
    const members = new MemberLog(log(), nameOf)
    members.isolated(true)
    members.isolated(false)
    members.stop()
    assert.deepEqual(
      lines.map(({ level, msg }) => `${level} ${msg}`),
      [
        'warn isolated: nothing is heard from anybody, so this peer may be the sick one',
        'info no longer isolated',
      ],
    )
  })

  it('says nothing of itself, and of what changes all the time', () => {
    const members = new MemberLog(log(), nameOf)
    members.changed('alive', view(ids[0], 'm0', { self: true }))
    members.changed('updated', view(ids[1], 'm1'))
    members.stop()
    assert.deepEqual(lines, [])
  })

  it('sums up a flood, and goes on after it', async () => {
    const members = new MemberLog(log(), nameOf, { periodMs: 20 })
    for (let at = 0; at < 500; at++) members.changed(at < 300 ? 'joined' : 'dead', view(ids[1], `m${at}`))
    assert.equal(lines.length, 50)
    await eventually('the sum', () => lines.length === 51)
    assert.deepEqual(lines[50]?.changes, { joined: 250, dead: 200 })
    members.changed('alive', view(ids[1], 'm1'))
    assert.equal(lines[51]?.msg, 'member alive')
    members.stop()
  })

  it('tells once of a name that several bear, and when it is over', () => {
    const members = new MemberLog(log(), nameOf)
    members.nameConflict('m1', [ids[0], ids[1]])
    members.nameConflict('m1', ids)
    members.nameConflict('m1', [ids[0]])
    members.nameConflict('m2', [ids[0]])
    members.nameConflict('m1', [ids[0], ids[1]])
    for (let at = 0; at < 100; at++) members.nameConflict(`n${at}`, [ids[0], ids[1]])
    assert.deepEqual(
      lines.slice(0, 4).map(({ level, name }) => [level, name]),
      [
        ['warn', 'm1'],
        ['info', 'm1'],
        ['warn', 'm1'],
        ['warn', 'n0'],
      ],
    )
    assert.equal(lines.length, 2 + 64)
  })

  it('tells every single one with debug', () => {
    const members = new MemberLog(log('debug'), nameOf)
    for (let at = 0; at < 100; at++) members.changed('joined', view(ids[1], `m${at}`))
    members.stop()
    assert.equal(lines.filter(({ msg }) => msg === 'member joined').length, 100)
    assert.equal(lines.length, 101)
  })
})

import assert from 'node:assert/strict'
import { NameConflicts } from '../../../../lib/protocols/membership/name-conflicts.ts'
import { id, Lab, ScriptedPeer } from './lab.ts'

const conflicts = (lab: Lab) =>
  lab.events().flatMap((event) => (event.type === 'name-conflict' ? [[event.name, event.peers]] : []))

describe('names', () => {
  it('are reported once when two living members share one, and once when they no longer do', () => {
    const lab = new Lab()
    const [a, b] = [new ScriptedPeer('a'), new ScriptedPeer('b')]
    lab.start()
    const named = (peer: ScriptedPeer) => peer.update({ record: peer.record({ name: 'web' }) })
    for (const peer of [a, b]) {
      lab.command({ type: 'connected', peer: peer.id })
      lab.receive(peer, peer.ping([named(peer)]))
    }
    assert.deepEqual(conflicts(lab), [['web', ['a', 'b']]])
    a.incarnation++
    lab.receive(a, a.ping([named(a)]))
    lab.runWhile(3000, [a, b])
    assert.equal(conflicts(lab).length, 1)
    const record = b.record({ name: 'web', presence: 'left' })
    lab.receive(b, b.packet({ type: 'leave', seq: 1, record }))
    assert.deepEqual(conflicts(lab).slice(1), [['web', ['a']]])
  })

  it('are reported where the own is taken', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    lab.start()
    lab.command({ type: 'connected', peer: a.id })
    lab.receive(a, a.ping([a.update({ record: a.record({ name: 'm' }) })]))
    assert.deepEqual(conflicts(lab), [['m', ['a', 'm']]])
  })

  it('name the same peers only once, few of very many, and are kept of nobody that has gone', () => {
    const told: [string, readonly string[]][] = []
    const names = new NameConflicts((name, peers) => told.push([name, peers]))
    for (let i = 0; i < 40; i++) names.present(id(`p${10 + i}`), 'x')
    assert.equal(told.length, 39)
    assert.equal(told.at(-1)?.[1].length, NameConflicts.most)
    names.present(id('p10'), 'x')
    assert.equal(told.length, 39)
    names.present(id('p10'), 'y')
    assert.equal(told.length, 40, 'a new name frees the old one')
    for (let i = 0; i < 40; i++) names.absent(id(`p${10 + i}`))
    names.absent(id('p11'))
    told.length = 0
    names.present(id('q'), 'x')
    names.present(id('r'), 'y')
    assert.deepEqual(told, [])
  })

  it('name those that come first, whoever comes and goes', () => {
    let told: readonly string[] = []
    const names = new NameConflicts((_, peers) => {
      told = peers
    })
    const present = new Set<string>()
    for (let i = 0; i < 400; i++) {
      const peer = `p${100 + ((i * 37) % 101)}`
      if (present.delete(peer)) names.absent(id(peer))
      else names.present(id([...present.add(peer)].at(-1) ?? ''), 'x')
      if (present.size > 1) assert.deepEqual(told, [...present].sort().slice(0, NameConflicts.most))
    }
  })

  it('cost little where ten thousand have the same', () => {
    let told = 0
    const names = new NameConflicts(() => told++)
    const before = performance.now()
    for (let i = 0; i < 10_000; i++) names.present(id(`p${100_000 + ((i * 7919) % 10_007)}`), 'x')
    assert.equal(told, 9999)
    assert.ok(performance.now() - before < 1000, `${performance.now() - before} ms`)
  })
})

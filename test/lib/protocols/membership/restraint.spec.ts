import assert from 'node:assert/strict'
import { Lab, ScriptedPeer } from './lab.ts'

describe('restraint', () => {
  it('accuses for itself where nobody believes those who already do', () => {
    const lab = new Lab()
    const subject = new ScriptedPeer('z')
    const accusers = ['a', 'b', 'c', 'd'].map((name) => new ScriptedPeer(name))
    lab.start()
    for (const peer of [subject, ...accusers]) lab.connect(peer)
    const accuse = (by: readonly ScriptedPeer[]): void => {
      const record = subject.record()
      for (const peer of by) {
        const accusations = [peer.accuse(record)]
        lab.receive(peer, peer.packet({ type: 'gossip' }, [{ record, accusations, contact: true }]))
      }
    }
    // Each cries wolf three times, alone, and is refuted.
    for (const accuser of accusers) {
      for (let i = 0; i < 3; i++) {
        accuse([accuser])
        subject.incarnation++
        lab.receive(subject, subject.ping())
        lab.run(50)
      }
    }
    accuse(accusers)
    lab.run(0)
    assert.equal(lab.member(subject)?.status, 'alive', 'none of them is believed')
    lab.runWhile(6000, accusers)
    assert.notEqual(lab.member(subject)?.status, 'alive')
  })

  it('asks once, and not with every answer, how old another life of its own is', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    const other = new ScriptedPeer('m')
    other.generation = 2_000_000
    lab.start()
    lab.connect(a)
    lab.take()
    for (let i = 0; i < 50; i++) {
      lab.receive(a, a.packet({ type: 'gossip' }, [other.update()]))
      lab.run(1)
    }
    const pings = lab.sent(a).filter(({ body }) => body.type === 'ping')
    assert.ok(pings.length >= 1 && pings.length <= 2, `${pings.length}`)
  })

  it('goes back to one probe a period when a suspect talks and never refutes', () => {
    const lab = new Lab()
    const others = Array.from({ length: 14 }, (_, i) => new ScriptedPeer(`o${i}`))
    const [accuser, another, subject] = others as [ScriptedPeer, ScriptedPeer, ScriptedPeer]
    lab.start()
    for (const peer of others) lab.connect(peer)
    const record = subject.record()
    for (const peer of [accuser, another]) {
      const update = { record, accusations: [peer.accuse(record)], contact: true }
      lab.receive(peer, peer.packet({ type: 'gossip' }, [update]))
    }
    const probes = (ms: number) => {
      lab.take()
      lab.runWhile(ms, others)
      return others.flatMap((peer) => lab.sent(peer)).filter(({ body }) => body.type === 'ping').length
    }
    assert.ok(probes(10_000) >= 60, 'at first it looks for others that may be silent')
    probes(20_000)
    assert.ok(probes(60_000) <= 70)
    assert.equal(lab.member(subject)?.status, 'suspect')
  })
})

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

  it('leaves it to the lower of two ids to ask first, but for one that joins', () => {
    const asks = (lab: Lab, peer: ScriptedPeer): boolean => {
      lab.take()
      lab.command({ type: 'connected', peer: peer.id })
      return lab.sent(peer).some(({ body }) => body.type === 'ping')
    }
    const [lower, higher] = [new ScriptedPeer('a'), new ScriptedPeer('z')]
    const founder = new Lab()
    founder.start()
    assert.deepEqual([asks(founder, lower), asks(founder, higher)], [false, true])
    const joiner = new Lab()
    joiner.start(['/ip4/10.0.0.1/tcp/1'])
    assert.deepEqual([asks(joiner, lower), asks(joiner, higher)], [true, true])
    joiner.receive(lower, lower.ack(1, { generation: joiner.own.generation }))
    assert.equal(asks(joiner, new ScriptedPeer('b')), false, 'it is in')
  })

  it('dials a mesh of many over some time, and of few at once', () => {
    const slowest = (members: number): number => {
      let drawn = 0
      const lab = new Lab({ random: () => (drawn++ % 97) / 97 })
      const contact = new ScriptedPeer('a')
      lab.start()
      lab.connect(contact)
      const others = Array.from({ length: members }, (_, i) => new ScriptedPeer(`z${i}`))
      lab.receive(
        contact,
        contact.packet(
          { type: 'gossip' },
          others.map((peer) => peer.update()),
        ),
      )
      const dials = () => new Set(lab.requests().flatMap((one) => (one.type === 'dial' ? [one.peer] : [])))
      const from = lab.now
      while (dials().size < members) lab.run(10)
      return lab.now - from
    }
    assert.ok(slowest(2) <= 200, `${slowest(2)}`)
    const many = slowest(16)
    assert.ok(many >= 400 && many <= 900, `${many}`)
  })

  it('tells no further accusation of whom it has seen dead', () => {
    const lab = new Lab()
    const subject = new ScriptedPeer('z')
    const [a, b, c, listener] = ['a', 'b', 'c', 'd'].map((name) => new ScriptedPeer(name)) as [
      ScriptedPeer,
      ScriptedPeer,
      ScriptedPeer,
      ScriptedPeer,
    ]
    const others = [a, b, c, listener]
    lab.start()
    for (const peer of [subject, ...others]) lab.connect(peer)
    lab.command({ type: 'disconnected', peer: subject.id, closedBy: 'remote' })
    const record = subject.record()
    const accuse = (peer: ScriptedPeer): void =>
      lab.receive(
        peer,
        peer.packet({ type: 'gossip' }, [
          { record, accusations: [peer.accuse(record, { charge: 'refused' })], contact: true },
        ]),
      )
    accuse(a)
    accuse(b)
    lab.runWhile(2000, others)
    lab.failDials()
    assert.equal(lab.member(subject)?.status, 'dead')
    lab.runWhile(5000, others)
    lab.take()
    accuse(c)
    lab.runWhile(2000, others)
    const told = lab.sent(listener).flatMap(({ updates }) => updates)
    assert.deepEqual(
      told.filter((update) => update.record.body.peer === subject.id),
      [],
    )
    assert.equal(lab.member(subject)?.accusers?.length, 3)
  })

  it('tells nobody of those whom it found in the view of its contact, and of others as ever', () => {
    const lab = new Lab()
    const [contact, listener, found, rumoured] = ['a', 'b', 'y', 'z'].map(
      (name) => new ScriptedPeer(name),
    ) as [ScriptedPeer, ScriptedPeer, ScriptedPeer, ScriptedPeer]
    lab.start(['/ip4/10.0.0.1/tcp/1'])
    lab.connect(contact)
    lab.connect(listener)
    const view = { type: 'sync', buckets: undefined, reply: false, more: false } as const
    lab.receive(contact, contact.packet(view, [found.update()]))
    lab.receive(contact, contact.packet({ type: 'gossip' }, [rumoured.update()]))
    lab.take()
    lab.runWhile(3000, [contact, listener])
    const told = new Set(
      lab.sent(listener).flatMap(({ updates }) => updates.map(({ record }) => record.body.peer)),
    )
    assert.deepEqual(
      [lab.member(found)?.status, told.has(found.id), told.has(rumoured.id)],
      ['alive', false, true],
    )
  })
})

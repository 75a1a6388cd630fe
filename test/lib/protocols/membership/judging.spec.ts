import assert from 'node:assert/strict'
import { Lab, ScriptedPeer } from './lab.ts'

/** A lab that knows `names`, connected to each. */
function cluster(...names: string[]): { lab: Lab; peers: ScriptedPeer[] } {
  const lab = new Lab()
  const peers = names.map((name) => new ScriptedPeer(name))
  lab.start()
  for (const peer of peers) lab.connect(peer)
  lab.take()
  return { lab, peers }
}

function gossip(
  lab: Lab,
  from: ScriptedPeer,
  subject: ScriptedPeer,
  accusers: readonly ScriptedPeer[],
): void {
  const record = subject.record()
  const accusations = accusers.map((accuser) => accuser.accuse(record))
  lab.receive(from, from.packet({ type: 'gossip' }, [{ record, accusations, contact: true }]))
}

describe('judging the others', () => {
  it('knows who speaks for itself', () => {
    const { lab, peers } = cluster('a')
    assert.equal(lab.member(peers[0] as ScriptedPeer)?.status, 'alive')
  })

  it('takes an unknown peer as a hint to dial until somebody has contact first-hand', () => {
    const { lab, peers } = cluster('a')
    const [a] = peers as [ScriptedPeer]
    const x = new ScriptedPeer('x')
    lab.receive(a, a.packet({ type: 'gossip' }, [x.update({ contact: false })]))
    assert.equal(lab.member(x), undefined)
    assert.ok(lab.requests().some((request) => request.type === 'dial' && request.peer === x.id))
    lab.receive(a, a.packet({ type: 'gossip' }, [x.update({ contact: true })]))
    assert.equal(lab.member(x)?.status, 'alive')
  })

  it('drops `left` of an unknown peer', () => {
    const { lab, peers } = cluster('a')
    const [a] = peers as [ScriptedPeer]
    const x = new ScriptedPeer('x')
    const record = x.record({ presence: 'left' })
    lab.receive(a, a.packet({ type: 'gossip' }, [{ record, accusations: [], contact: true }]))
    assert.equal(lab.member(x), undefined)
    assert.deepEqual(lab.requests(), [])
  })

  it('suspects an accused member, and turns it dead after the time-out only with two accusers', () => {
    const { lab, peers } = cluster('a', 'b', 'c', 'd')
    const [a, b, c, d] = peers as [ScriptedPeer, ScriptedPeer, ScriptedPeer, ScriptedPeer]
    const talk = (rounds: number) => {
      for (let i = 0; i < rounds; i++) {
        lab.run(500)
        lab.hear(a, b, c)
        lab.failDials()
      }
    }
    // A subject that answers this member, so that it does not accuse it itself.
    lab.receive(
      a,
      a.packet({ type: 'gossip' }, [
        { record: d.record(), accusations: [a.accuse(d.record())], contact: true },
      ]),
    )
    assert.equal(lab.member(d)?.status, 'suspect')
    for (let i = 0; i < 60; i++) {
      lab.run(500)
      lab.hear(a, b, c, d)
    }
    assert.equal(lab.member(d)?.status, 'suspect', 'own fresh bytes stand against one accuser, for ever')
    gossip(lab, b, d, [b])
    talk(40)
    assert.equal(lab.member(d)?.status, 'dead')
  })

  it('never ends a suspicion but by the higher incarnation of its owner', () => {
    const { lab, peers } = cluster('a', 'b', 'c')
    const [a, , c] = peers as [ScriptedPeer, ScriptedPeer, ScriptedPeer]
    gossip(lab, a, c, [a])
    lab.receive(c, c.ping())
    assert.equal(lab.member(c)?.status, 'suspect')
    const told = lab.sent(c).flatMap((packet) => packet.updates.flatMap((update) => update.accusations))
    assert.ok(told.length > 0, 'contact tells it who accuses it')
    c.incarnation = 1
    lab.receive(c, c.ping())
    assert.equal(lab.member(c)?.status, 'alive')
    assert.deepEqual(lab.member(c)?.accusers, [])
  })

  it('counts an accusation for exactly one generation and incarnation', () => {
    const { lab, peers } = cluster('a', 'b', 'c')
    const [a, , c] = peers as [ScriptedPeer, ScriptedPeer, ScriptedPeer]
    const record = c.record()
    for (const change of [{ incarnation: 1 }, { generation: 999 }, { cluster: 'c2' }, { subject: a.id }]) {
      const accusations = [a.accuse(record, change)]
      lab.receive(a, a.packet({ type: 'gossip' }, [{ record, accusations, contact: true }]))
    }
    assert.equal(lab.member(c)?.status, 'alive')
  })

  it('refuses unsigned, self-signed and strangers’ accusations', () => {
    const { lab, peers } = cluster('a', 'b', 'c')
    const [a, b, c] = peers as [ScriptedPeer, ScriptedPeer, ScriptedPeer]
    const record = c.record()
    const unsigned = { ...b.accuse(record), signature: new Uint8Array(32) }
    const inAnothersName = a.accuse(record, { accuser: b.id })
    const stranger = new ScriptedPeer('z').accuse(record)
    for (const accusation of [unsigned, inAnothersName, stranger, c.accuse(record)]) {
      lab.receive(a, a.packet({ type: 'gossip' }, [{ record, accusations: [accusation], contact: true }]))
    }
    assert.equal(lab.member(c)?.status, 'alive')
    const blamed = lab.events().filter((event) => event.type === 'misbehaved')
    assert.deepEqual(
      blamed.map((event) => event.peer),
      [a.id, a.id],
    )
  })

  it('mutes an accuser after three refutations of what it alone said', () => {
    const { lab, peers } = cluster('a', 'b', 'c', 'd')
    const [a, , , d] = peers as [ScriptedPeer, ScriptedPeer, ScriptedPeer, ScriptedPeer]
    for (let i = 0; i < 3; i++) {
      gossip(lab, a, d, [a])
      assert.equal(lab.member(d)?.status, 'suspect')
      d.incarnation++
      lab.receive(d, d.ping())
    }
    gossip(lab, a, d, [a])
    assert.equal(lab.member(d)?.status, 'alive')
    assert.deepEqual(lab.member(d)?.accusers, [a.id], 'what it says is kept, as a confirmation')
    const b = peers[1] as ScriptedPeer
    gossip(lab, b, d, [b])
    assert.equal(lab.member(d)?.status, 'suspect')
  })

  it('takes a newer generation at once, whatever was said of the older', () => {
    const { lab, peers } = cluster('a', 'b', 'c')
    const [a, , c] = peers as [ScriptedPeer, ScriptedPeer, ScriptedPeer]
    gossip(lab, a, c, [a])
    c.generation = 2000
    lab.receive(a, a.packet({ type: 'gossip' }, [c.update()]))
    assert.equal(lab.member(c)?.status, 'alive')
    assert.ok(lab.events().some((event) => event.type === 'member' && event.change === 'restarted'))
  })

  it('refuses an incarnation far ahead, and a record of another cluster', () => {
    const { lab, peers } = cluster('a', 'b')
    const [a, b] = peers as [ScriptedPeer, ScriptedPeer]
    const far = { record: b.record({ incarnation: 2 ** 30 }), accusations: [], contact: true }
    const other = { record: b.record({ cluster: 'c2', incarnation: 3 }), accusations: [], contact: true }
    lab.receive(b, b.packet({ type: 'gossip' }, [far]))
    lab.receive(a, a.packet({ type: 'gossip' }, [other]))
    assert.equal(lab.member(b)?.incarnation, 0)
    const reasons = lab.events().flatMap((event) => (event.type === 'misbehaved' ? [event.reason] : []))
    assert.deepEqual(reasons, ['incarnation-too-far', 'other-cluster'])
  })

  it('counts a replayed ping and does not answer it', () => {
    const { lab, peers } = cluster('a')
    const [a] = peers as [ScriptedPeer]
    const ping = a.ping()
    lab.receive(a, ping)
    lab.take()
    lab.receive(a, ping)
    assert.deepEqual(lab.sent(a), [])
    assert.deepEqual(lab.events(), [{ type: 'misbehaved', peer: a.id, reason: 'replayed' }])
  })

  it('keeps no more members than the limit', () => {
    const lab = new Lab({}, { maxMembers: 3 })
    lab.start()
    for (const name of ['a', 'b', 'c', 'd']) lab.connect(new ScriptedPeer(name))
    assert.equal(lab.core.members().length, 3)
  })

  it('looks for others than those of whom enough is known, when many die at once', () => {
    const { lab, peers } = cluster(...Array.from({ length: 50 }, (_, i) => `p${i}`))
    const silent = peers.slice(0, 24)
    const talking = peers.slice(24)
    lab.runWhile(2000, peers)
    const found = silent.slice(0, 12)
    for (const subject of found) gossip(lab, talking[0] as ScriptedPeer, subject, talking.slice(0, 4))
    // Whoever was told of them has probed them once.
    lab.runWhile(1500, talking)
    lab.take()
    lab.runWhile(6000, talking)
    const accused = silent.slice(12).filter((peer) => lab.member(peer)?.accusers.includes(lab.self))
    assert.ok(accused.length >= 6, `${accused.length} more`)
  })

  it('is not made slow by one that says again and again that it is suspected', () => {
    const { lab, peers } = cluster(...Array.from({ length: 12 }, (_, i) => `p${i}`))
    const [liar, ...honest] = peers as [ScriptedPeer, ...ScriptedPeer[]]
    let worst = 0
    for (let passed = 0; passed < 60_000; passed += 100) {
      lab.run(100)
      lab.hear(...peers)
      for (const peer of honest) {
        for (const { body } of lab.sent(peer)) if (body.type === 'ping') lab.receive(peer, peer.ack(body.seq))
      }
      lab.take()
      const { generation, incarnation } = lab.own
      lab.receive(liar, liar.ping([], { generation, incarnation, standing: 'suspect' }))
      worst = Math.max(worst, lab.core.health.score)
    }
    assert.ok(worst <= 2, `${worst}`)
  })

  it('finds itself isolated when all are silent at once, and waits longer', () => {
    const { lab, peers } = cluster('a', 'b', 'c', 'd')
    lab.run(12_000)
    assert.equal(lab.core.health.isolated, true)
    assert.ok(peers.every((peer) => lab.member(peer)?.status === 'suspect'))
  })

  it('grants its own stall to those whom it suspects, and accuses nobody right after it', () => {
    const { lab, peers } = cluster('a', 'b', 'c', 'd')
    lab.stall(10_000)
    lab.hear(...peers)
    lab.run(1500)
    assert.ok(peers.every((peer) => lab.member(peer)?.status === 'alive'))
    assert.equal(lab.own.incarnation, 1, 'so long a stall raises the own incarnation')
  })
})

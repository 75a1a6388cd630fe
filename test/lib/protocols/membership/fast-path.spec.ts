import assert from 'node:assert/strict'
import type { KnockOutcome } from '../../../../lib/protocols/membership/messages.ts'
import { Lab, ScriptedPeer } from './lab.ts'

/** A lab with `names` as members, each verified by a handshake at its address. */
function verified(config: { fastPath?: boolean }, ...names: string[]): { lab: Lab; peers: ScriptedPeer[] } {
  const lab = new Lab({}, config)
  const peers = names.map((name) => new ScriptedPeer(name))
  lab.start()
  for (const peer of peers) lab.connect(peer)
  lab.runWhile(2000, peers)
  for (const request of lab.requests()) {
    if (request.type !== 'knock') continue
    lab.command({ type: 'knocked', id: request.id, outcome: 'answered' })
  }
  for (const peer of peers) lab.receive(peer, peer.ping())
  lab.runWhile(200, peers)
  lab.take()
  return { lab, peers }
}

/** Runs on, answering each knock at once. */
function answerKnocks(
  lab: Lab,
  outcome: (round: number) => KnockOutcome,
  talking: ScriptedPeer[] = [],
): number {
  let knocks = 0
  for (let i = 0; i < 12; i++) {
    for (const request of lab.requests()) {
      if (request.type !== 'knock') continue
      lab.command({ type: 'knocked', id: request.id, outcome: outcome(knocks++) })
    }
    lab.effects = lab.effects.filter((effect) => effect.type !== 'knock')
    lab.runWhile(50, talking)
  }
  return knocks
}

describe('the fast path', () => {
  it('turns a member dead in half a second when its own and one more refusal agree', () => {
    const { lab, peers } = verified({}, 'a', 'b', 'c', 'd')
    const [a, , , d] = peers as [ScriptedPeer, ScriptedPeer, ScriptedPeer, ScriptedPeer]
    lab.command({ type: 'disconnected', peer: d.id, closedBy: 'remote' })
    assert.equal(
      answerKnocks(lab, () => 'refused'),
      3,
    )
    assert.equal(lab.member(d)?.status, 'suspect', 'one observer of five is not enough')
    const accusations = [a.accuse(d.record(), { charge: 'refused' })]
    lab.receive(a, a.packet({ type: 'gossip' }, [{ record: d.record(), accusations, contact: false }]))
    lab.run(0)
    assert.equal(lab.member(d)?.status, 'dead')
  })

  it('needs one observer up to three members', () => {
    const { lab, peers } = verified({}, 'a', 'd')
    const d = peers[1] as ScriptedPeer
    lab.command({ type: 'disconnected', peer: d.id, closedBy: 'remote' })
    answerKnocks(lab, () => 'refused')
    assert.equal(lab.member(d)?.status, 'dead')
  })

  it('believes no number of refusals against its own connection or fresh bytes', () => {
    const { lab, peers } = verified({}, 'a', 'b', 'c', 'd')
    const [a, b, c, d] = peers as [ScriptedPeer, ScriptedPeer, ScriptedPeer, ScriptedPeer]
    const record = d.record()
    const accusations = [a, b, c].map((accuser) => accuser.accuse(record, { charge: 'refused' }))
    lab.receive(a, a.packet({ type: 'gossip' }, [{ record, accusations, contact: false }]))
    lab.hear(d)
    assert.equal(lab.member(d)?.status, 'suspect', 'while connected')
    lab.command({ type: 'disconnected', peer: d.id, closedBy: 'local' })
    assert.equal(lab.member(d)?.status, 'suspect', 'and for 100 ms after its last bytes')
    lab.run(100)
    assert.equal(lab.member(d)?.status, 'dead')
  })

  for (const proof of ['inconclusive', 'answered'] as const) {
    it(`is void when one knock is ${proof}`, () => {
      const { lab, peers } = verified({}, 'a', 'd')
      const d = peers[1] as ScriptedPeer
      lab.command({ type: 'disconnected', peer: d.id, closedBy: 'remote' })
      answerKnocks(lab, (round) => (round === 1 ? proof : 'refused'))
      assert.equal(lab.member(d)?.status, 'alive')
    })
  }

  it('counts another identity at the address as a refusal', () => {
    const { lab, peers } = verified({}, 'a', 'd')
    const d = peers[1] as ScriptedPeer
    lab.command({ type: 'disconnected', peer: d.id, closedBy: 'remote' })
    answerKnocks(lab, (round) => (round === 1 ? 'other-identity' : 'refused'))
    assert.equal(lab.member(d)?.status, 'dead')
  })

  it('is void on authenticated contact', () => {
    const { lab, peers } = verified({}, 'a', 'd')
    const d = peers[1] as ScriptedPeer
    lab.command({ type: 'disconnected', peer: d.id, closedBy: 'remote' })
    lab.run(50)
    lab.connect(d)
    answerKnocks(lab, () => 'refused')
    assert.equal(lab.member(d)?.status, 'alive')
  })

  it('opens only when the remote closed, an own dial verified an address, and it is switched on', () => {
    const local = verified({}, 'a', 'd')
    local.lab.command({ type: 'disconnected', peer: (local.peers[1] as ScriptedPeer).id, closedBy: 'local' })
    assert.equal(
      answerKnocks(local.lab, () => 'refused'),
      0,
    )
    const off = verified({ fastPath: false }, 'a', 'd')
    off.lab.command({ type: 'disconnected', peer: (off.peers[1] as ScriptedPeer).id, closedBy: 'remote' })
    assert.equal(
      answerKnocks(off.lab, () => 'refused'),
      0,
    )
    const unverified = new Lab()
    const x = new ScriptedPeer('x')
    unverified.start()
    unverified.connect(x)
    unverified.command({ type: 'disconnected', peer: x.id, closedBy: 'remote' })
    assert.equal(
      answerKnocks(unverified, () => 'refused'),
      0,
    )
  })

  it('redials at once when a connection closes', () => {
    const { lab, peers } = verified({}, 'a', 'd')
    const d = peers[1] as ScriptedPeer
    lab.command({ type: 'disconnected', peer: d.id, closedBy: 'remote' })
    assert.ok(lab.requests().some((request) => request.type === 'dial' && request.peer === d.id))
  })
})

import assert from 'node:assert/strict'
import { queryObjects } from 'node:v8'
import { Lab, ScriptedPeer } from './lab.ts'

const stays = ['a', 'b', 'c'].map((name) => new ScriptedPeer(name))

/** New identities come for a moment, one a second, and go in one of the ways that there are. */
function churn(lab: Lab, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const peer = new ScriptedPeer(`visitor${i}`)
    const hint = new ScriptedPeer(`hint${i}`)
    lab.connect(peer)
    lab.receive(peer, peer.packet({ type: 'ping-request', seq: i, subject: stays[0]?.id ?? peer.id }))
    lab.receive(peer, peer.packet({ type: 'gossip' }, [hint.update({ contact: false })]))
    lab.command({ type: 'measure', peer: peer.id, token: i })
    if (i % 3 === 0) {
      lab.receive(peer, peer.packet({ type: 'leave', seq: 1, record: peer.record({ presence: 'left' }) }))
      lab.command({ type: 'disconnected', peer: peer.id, closedBy: 'remote' })
    } else if (i % 3 === 1) {
      lab.receive(peer, peer.packet({ type: 'leave', seq: 1, record: peer.record({ presence: 'stopping' }) }))
      lab.command({ type: 'disconnected', peer: peer.id, closedBy: 'remote' })
    } else {
      lab.command({ type: 'disconnected', peer: peer.id, closedBy: 'local' })
      for (const witness of stays.slice(1)) {
        const accusations = [witness.accuse(peer.record(), { charge: 'suspected' })]
        lab.receive(
          witness,
          witness.packet({ type: 'gossip' }, [peer.update({ accusations, contact: false })]),
        )
      }
    }
    for (let half = 0; half < 2; half++) {
      lab.run(500)
      lab.hear(...stays)
    }
    for (const request of lab.requests()) {
      if (request.type === 'dial')
        lab.command({ type: 'dialled', id: request.id, outcome: { type: 'failed', reason: 'timeout' } })
      else if (request.type === 'knock')
        lab.command({ type: 'knocked', id: request.id, outcome: 'inconclusive' })
    }
    lab.take()
  }
}

describe('churn of new identities', () => {
  it('leaves memory flat once there are as many gone as are remembered', () => {
    const lab = new Lab({}, { maxGone: 20, maxTombstones: 40, maxHints: 20 })
    lab.start()
    for (const peer of stays) lab.connect(peer)
    churn(lab, 0, 500)
    const before = queryObjects(Object, { format: 'count' })
    churn(lab, 500, 800)
    const grown = queryObjects(Object, { format: 'count' }) - before
    assert.ok(grown < 200, `${grown} objects for 300 members that came and went`)
    assert.ok(lab.core.members().length < 50, `${lab.core.members().length} rows`)
    assert.equal(lab.core.tombstones, 40)
  })
})

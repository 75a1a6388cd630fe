import assert from 'node:assert/strict'
import type { Update } from '../../../../lib/protocols/membership/messages.ts'
import { cryptoOf, Lab, ScriptedPeer } from './lab.ts'

function peers<const Names extends readonly string[]>(...names: Names) {
  return names.map((name) => new ScriptedPeer(name)) as { [K in keyof Names]: ScriptedPeer }
}

const gossip = { type: 'gossip' } as const

function started(...others: readonly ScriptedPeer[]): Lab {
  const lab = new Lab()
  lab.start()
  for (const peer of others) lab.connect(peer)
  return lab
}

/** What `accusers` say of the lab itself, as it was last told. */
function slander(lab: Lab, ...accusers: readonly ScriptedPeer[]): Update {
  const record = lab.ownRecord()
  return { record, accusations: accusers.map((accuser) => accuser.accuse(record)), contact: true }
}

const refutations = (lab: Lab) => lab.events().filter((event) => event.type === 'refuted').length

describe('a member of whom ill is spoken', () => {
  it('answers as it comes, then once a period, however often it is said', () => {
    const [a, b] = peers('a', 'b')
    const lab = started(a, b)
    for (let passed = 0; passed < 30_000; passed += 50) {
      lab.run(50)
      lab.receive(a, a.packet(gossip, [slander(lab, a)]))
      const { generation, incarnation } = lab.own
      lab.receive(b, b.ping([], { generation, incarnation, standing: 'suspect' }))
    }
    assert.ok(refutations(lab) >= 30 && refutations(lab) <= 35, `${refutations(lab)} in 30 periods`)
  })

  it('answers bare words, and does not doubt itself for them', () => {
    const [a] = peers('a')
    const lab = started(a)
    for (let i = 0; i < 20; i++) {
      const { generation, incarnation } = lab.own
      lab.receive(a, a.ping([], { generation, incarnation, standing: 'suspect' }))
      lab.run(1000)
      lab.hear(a)
    }
    assert.ok(lab.own.incarnation >= 19)
    assert.equal(lab.core.health.score, 0)
  })

  it('is not moved by accusers who are nobody here', () => {
    const [a, stranger] = peers('a', 'z')
    const lab = started(a)
    lab.receive(a, a.packet(gossip, [slander(lab, stranger)]))
    lab.run(500)
    assert.equal(lab.own.incarnation, 0)
    // Who relays it because it believes it says so.
    const { generation, incarnation } = lab.own
    lab.receive(a, a.ping([slander(lab, stranger)], { generation, incarnation, standing: 'suspect' }))
    assert.equal(lab.own.incarnation, 1)
  })

  it('looks at one signature, however often a packet says the same', () => {
    const [a, b] = peers('a', 'b')
    let looks = 0
    const crypto = cryptoOf(new Lab().self)
    const lab = new Lab({
      crypto: {
        ...crypto,
        verify: (...args) => {
          looks++
          return crypto.verify(...args)
        },
      },
    })
    lab.start()
    for (const peer of [a, b]) lab.connect(peer)
    // The second answer has to wait a moment.
    for (let i = 0; i < 2; i++) {
      lab.receive(a, a.packet(gossip, [slander(lab, a, b)]))
      lab.run(1)
    }
    assert.equal(lab.own.incarnation, 1)
    looks = 0
    const said = Array.from({ length: 80 }, () => slander(lab, a, b))
    lab.receive(a, a.packet(gossip, said))
    assert.ok(looks <= 1, `${looks}`)
  })
})

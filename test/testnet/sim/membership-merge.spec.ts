import assert from 'node:assert/strict'
import fc from 'fast-check'
import { profiles } from '../../../lib/protocols/membership/config.ts'
import { Membership } from '../../../lib/protocols/membership/membership.ts'
import type { MemberRecord, Packet, Update } from '../../../lib/protocols/membership/messages.ts'
import { signAccusation, signRecord } from '../../../lib/protocols/membership/statements.ts'
import { Keys } from '../../../testnet/sim/keys.ts'
import { Random } from '../../../testnet/sim/random.ts'

const cluster = 'merge'
const keys = new Keys(new Random(1, 'merge'))
const [self, speaker, ...subjects] = [0, 1, 2, 3, 4].map(() => keys.identity())
const witnesses = [speaker, ...subjects].flatMap((peer) => (peer === undefined ? [] : [peer]))

function record(
  peer = speaker,
  generation = 1,
  incarnation = 0,
  presence: MemberRecord['presence'] = 'alive',
) {
  assert.ok(peer !== undefined)
  const common = {
    cluster,
    name: 'm',
    version: '1',
    addresses: ['/ip4/10.0.0.1/tcp/1'],
    groups: [],
    tags: {},
  }
  return signRecord({ ...common, peer, generation, incarnation, presence }, keys.crypto(peer))
}

/** Something that may be said of a subject: some life and incarnation of it, and who accuses exactly that. */
const update: fc.Arbitrary<Update> = fc
  .record({
    subject: fc.nat(2),
    generation: fc.integer({ min: 1, max: 2 }),
    incarnation: fc.nat(2),
    presence: fc.constantFrom('alive' as const, 'alive' as const, 'left' as const),
    accusers: fc.uniqueArray(fc.nat(3), { maxLength: 3 }),
  })
  .map(({ subject, generation, incarnation, presence, accusers }) => {
    const peer = subjects[subject]
    assert.ok(peer !== undefined)
    const accusations = accusers.flatMap((index) => {
      const accuser = witnesses[index]
      if (accuser === undefined || accuser === peer || presence !== 'alive') return []
      const body = { charge: 'suspected', cluster, subject: peer, generation, incarnation, accuser } as const
      return [signAccusation({ ...body, accuserGeneration: 1 }, keys.crypto(accuser))]
    })
    return { record: record(peer, generation, incarnation, presence), accusations, contact: true }
  })

/** The table of a member that knows everybody and is told `updates`, one packet each, at one moment. */
function told(updates: readonly Update[]) {
  assert.ok(self !== undefined && speaker !== undefined)
  const core = new Membership({
    self,
    cluster,
    name: 'self',
    version: '1',
    addresses: [],
    config: profiles.lan,
    crypto: keys.crypto(self),
    random: () => 0.5,
    durable: new Map(),
  })
  const now = { monotonic: 0, wall: 10 }
  core.step({ type: 'start', contacts: [] }, now)
  const say = (said: readonly Update[]) => {
    const message: Packet = { generation: 1, updates: said, body: { type: 'gossip' } }
    core.step({ type: 'receive', from: speaker, message }, now)
  }
  say([{ record: record(), accusations: [], contact: true }])
  for (const peer of subjects) say([{ record: record(peer), accusations: [], contact: true }])
  for (const one of updates) say([one])
  return core.members().map(({ peer, status, generation, incarnation, accusers }) => {
    return { peer, status, generation, incarnation, accusers: [...accusers].sort() }
  })
}

describe('what is said of members', () => {
  const updates = fc.array(update, { maxLength: 8 })

  it('is merged into the same table in whatever order it comes', () => {
    const orders = updates.chain((said) =>
      fc.shuffledSubarray(said, { minLength: said.length }).map((other) => [said, other] as const),
    )
    fc.assert(
      fc.property(orders, ([said, other]) => {
        assert.deepEqual(told(other), told(said))
      }),
      { numRuns: 300 },
    )
  })

  it('is merged into the same table however often it comes', () => {
    fc.assert(
      fc.property(updates, (said) => {
        assert.deepEqual(told([...said, ...said]), told(said))
      }),
      { numRuns: 100 },
    )
  })

  it('adds up to the same whether it is told in parts to one or through another', () => {
    fc.assert(
      fc.property(updates, updates, (first, second) => {
        assert.deepEqual(told([...first, ...second]), told([...second, ...first, ...second]))
      }),
      { numRuns: 100 },
    )
  })
})

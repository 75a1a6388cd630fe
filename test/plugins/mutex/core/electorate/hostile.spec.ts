import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { PeerId } from '../../../../../lib/protocols/core.ts'
import type {
  Ballot,
  Decision,
  ElectorateId,
  ElectorateItem,
  Link,
  Report,
} from '../../../../../plugins/mutex/core/electorate/messages.ts'
import { acceptBytes } from '../../../../../plugins/mutex/core/statements.ts'
import { grown } from './grown.ts'
import { type Member, World } from './world.ts'

const otherId = 'deadbeefdeadbeefdeadbeefdeadbeef' as ElectorateId

/** A frame of `from` as it would be, with items that it would not send. */
function says(from: Member, to: Member, ...items: ElectorateItem[]): void {
  const { view } = from
  to.receive(from, { id: view.id, version: view.version, stamp: undefined, items })
}

function sides(world: World): { voters: Member[]; member: Member } {
  const voters = world.voters.map((id) => world.peer(id))
  const member = world.running.find((peer) => !voters.includes(peer)) as Member
  return { voters, member }
}

describe('an electorate among liars', () => {
  it('takes no decision without a quorum of signatures, and says who brought it', () => {
    const world = new World()
    grown(world, 4, 3)
    const { voters, member } = sides(world)
    const [victim, liar] = voters as [Member, Member]
    const { id, version } = victim.view
    const ballot: Ballot = { round: 9, peer: liar.id, generation: 1 }
    const decision: Decision = { type: 'voters', voters: [liar.id], replaced: [] }
    const bytes = acceptBytes(id as ElectorateId, version, ballot, decision)
    const forged = (of: Member[]): Link => ({
      version,
      ballot,
      decision,
      accepts: of.map((voter) => ({
        voter: voter.id,
        signature: (voter === liar ? liar : member).crypto.sign(bytes),
      })),
    })
    const { charter } = victim.elector?.current ?? {}
    assert.ok(charter !== undefined)
    for (const link of [forged([liar]), forged([liar, liar]), forged([liar, voters[2] as Member])]) {
      const before = world.blamed.length
      const chain = { id: id as ElectorateId, charter, signature: new Uint8Array(64), links: [link] }
      says(liar, victim, { type: 'chain', ...chain })
      assert.equal(world.blamed.length, before + 1)
      assert.match(world.blamed.at(-1) ?? '', /bad-proof/)
    }
    assert.equal(victim.version, version)
  })

  it('hears no votes, questions or reports of those who have no say', () => {
    const world = new World()
    grown(world, 4, 3)
    const { voters, member } = sides(world)
    const [victim] = voters as [Member]
    const { version } = victim.view
    const ballot: Ballot = { round: 9, peer: member.id, generation: 1 }
    const decision: Decision = { type: 'voters', voters: [member.id], replaced: [] }
    const report: Report = { floor: 1e9, grants: [], unknownForMs: 0, longestLeaseMs: 0 }
    const { disk } = victim
    const items: ElectorateItem[] = [
      { type: 'prepare', version, ballot, decision },
      { type: 'accept', version, ballot, decision },
      { type: 'promise', version, ballot, accepted: { ballot, decision } },
      { type: 'ready?', version, token: 1 },
      { type: 'fetch', version: version - 1 },
      { type: 'report', version: version - 1, report },
      { type: 'copy', version, report },
      { type: 'installed', version },
    ]
    for (const [i, item] of items.entries()) {
      says(member, victim, item)
      assert.equal(world.blamed.length, i + 1, item.type)
      assert.match(world.blamed.at(-1) ?? '', /not-a-voter/)
    }
    says(
      member,
      victim,
      {
        type: 'start-answer',
        stamp: { generation: 0, write: 0 },
        known: { generation: 1001, write: 9 },
        before: { generation: 1, write: 9 },
      },
      { type: 'wish', token: 1, wish: { type: 'leave', peer: voters[1]?.id as PeerId } },
    )
    assert.equal(victim.disk, disk)
    assert.equal(victim.view.void, undefined)
    world.run(10_000)
    assert.equal(victim.version, version)
    assert.ok(world.isServing)
  })

  it('lets a voter speak in its own name alone', () => {
    const world = new World()
    grown(world, 3, 3)
    const [victim, liar, other] = world.voters.map((id) => world.peer(id)) as [Member, Member, Member]
    const { version } = victim.view
    const ballot: Ballot = { round: 9, peer: other.id, generation: 1 }
    says(liar, victim, { type: 'prepare', version, ballot, decision: undefined })
    assert.match(world.blamed.at(-1) ?? '', /bad-proof/)
    const own = { ...ballot, peer: liar.id }
    const two: Decision = { type: 'voters', voters: [liar.id, other.id], replaced: [] }
    says(liar, victim, { type: 'accept', version, ballot: own, decision: two })
    assert.match(world.blamed.at(-1) ?? '', /bad-proof/)
    says(liar, victim, {
      type: 'accept',
      version,
      ballot: own,
      decision: { type: 'dissolved', into: otherId },
    })
    assert.equal(world.blamed.length, 3)
    says(liar, victim, { type: 'prepare', version, ballot: { ...own, round: 2 ** 41 }, decision: undefined })
    assert.equal(world.blamed.length, 4)
  })

  it('takes of a report what can be true', () => {
    const world = new World()
    const founder = world.add('founder')
    const joiners = [world.add('joiner'), world.add('joiner')]
    world.passes = (_from, _to, { type }) => type !== 'copy' && type !== 'report'
    world.until(() => founder.version === 2, 5000, 'decided')
    const [victim, second] = joiners as [Member, Member]
    world.until(() => victim.version === 2 && second.version === 2, 5000, 'known')
    world.run(1000)
    const { maxLeaseMs } = world.config
    const mark = { request: { peer: founder.id, generation: 1, counter: 1 } }
    const grants = [{ ...mark, lock: `1/${founder.id}`, remainingMs: maxLeaseMs + 1 }]
    const report: Report = { floor: 1, grants, unknownForMs: 0, longestLeaseMs: maxLeaseMs + 2 }
    says(founder, victim, { type: 'copy', version: 2, report: { ...report, floor: 2 ** 53 - 1 } })
    assert.match(world.blamed.at(-1) ?? '', /token-too-far/)
    assert.equal(victim.arbiter?.state.installed, 0)
    // Rounded up is nobody's lie.
    says(founder, victim, { type: 'copy', version: 2, report })
    assert.equal(world.blamed.length, 1)
    assert.equal(victim.arbiter?.state.installed, 2)
    says(founder, second, { type: 'copy', version: 2, report: { ...report, unknownForMs: 3_600_000 } })
    assert.match(world.blamed.at(-1) ?? '', /lease-too-long/)
    assert.equal(second.arbiter?.state.installed, 2)
    assert.equal(second.arbiter?.unknownForMs, maxLeaseMs)
  })

  it('never mixes with another: what is said under its id is not heard', () => {
    const world = new World()
    grown(world, 3, 3)
    const [victim, liar] = world.voters.map((id) => world.peer(id)) as [Member, Member]
    const { version } = victim.view
    const ballot: Ballot = { round: 9, peer: liar.id, generation: 1 }
    const { disk } = victim
    victim.receive(liar, {
      id: otherId,
      version,
      stamp: { generation: 5, write: 5 },
      items: [
        { type: 'prepare', version, ballot, decision: undefined },
        { type: 'start', stamp: { generation: 5, write: 5 }, base: { generation: 0, write: 0 } },
      ],
    })
    assert.equal(victim.disk, disk)
  })

  it('answers whoever is behind with the chain, and not as often as it is asked', () => {
    const world = new World()
    grown(world, 4, 3)
    const { voters, member } = sides(world)
    world.sent.clear()
    for (let i = 0; i < 50; i++)
      voters[0]?.receive(member, { id: member.view.id, version: 1, stamp: undefined, items: [] })
    assert.equal(world.sent.get('chain'), 1)
  })

  it('survives any sequence of items, and serves', () => {
    const world = new World()
    grown(world, 4, 3)
    const { voters, member } = sides(world)
    const peers = world.peers.map(({ id }) => id)
    const { id } = member.view
    const { charter } = member.elector?.current ?? {}
    assert.ok(charter !== undefined && id !== undefined)
    const peer = fc.constantFrom(...peers)
    const version = fc.constantFrom(0, 1, 2, 2, 2, 3, 1000, Number.MAX_SAFE_INTEGER)
    const ballot = fc.record({ round: fc.nat(5), peer, generation: fc.nat(3000) })
    const decision = fc.oneof(
      fc.record({
        type: fc.constant('voters' as const),
        voters: fc.uniqueArray(peer, { minLength: 1 }),
        replaced: fc.uniqueArray(peer),
      }),
      fc.record({ type: fc.constant('dissolved' as const), into: fc.constantFrom(id, otherId) }),
    )
    const accept = fc.record({ voter: peer, signature: fc.uint8Array({ minLength: 64, maxLength: 64 }) })
    const stamp = fc.record({ generation: fc.nat(2000), write: fc.nat(3) })
    const token = fc.nat(3)
    const text = fc.string()
    const link = fc.record({ version, ballot, decision, accepts: fc.array(accept, { maxLength: 3 }) })
    const report = fc.record({
      floor: fc.nat(5),
      grants: fc.constant([]),
      unknownForMs: fc.nat(5),
      longestLeaseMs: fc.nat(5),
    })
    const of = <T extends ElectorateItem['type']>(type: T) => fc.constant(type)
    const item: fc.Arbitrary<ElectorateItem> = fc.oneof(
      fc.record({
        type: of('head'),
        id: fc.constantFrom(id, otherId, undefined),
        version,
        serving: version,
        granted: fc.boolean(),
        expecting: fc.nat(3),
        founder: fc.option(peer, { nil: undefined }),
      }),
      fc.record({ type: of('want'), id: fc.constantFrom(id, otherId), after: version }),
      fc.record({
        type: of('chain'),
        id: fc.constantFrom(id, otherId),
        charter: fc.constant(charter),
        signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
        links: fc.array(link, { maxLength: 2 }),
      }),
      fc.record({
        type: of('wish-answer'),
        token,
        outcome: fc.constantFrom('taken' as const, 'done' as const, 'refused' as const),
        reason: text,
      }),
      fc.record({ type: of('ready?'), version, token }),
      fc.record({ type: of('ready'), version, token }),
      fc.record({ type: of('promise'), version, ballot, accepted: fc.constant(undefined) }),
      fc.record({ type: of('promise'), version, ballot, accepted: fc.record({ ballot, decision }) }),
      fc.record({ type: of('objection'), version, ballot, reason: text }),
      fc.record({ type: of('preempted'), version, ballot, promised: ballot }),
      fc.record({ type: of('prepare'), version, ballot, decision: fc.option(decision, { nil: undefined }) }),
      fc.record({ type: of('accepted'), version, ballot, accept }),
      fc.record({ type: of('fetch'), version }),
      fc.record({ type: of('report'), version, report }),
      fc.record({ type: of('copy'), version, report }),
      fc.record({ type: of('installed'), version }),
      fc.record({ type: of('start'), stamp, base: stamp }),
      fc.record({
        type: of('start-answer'),
        stamp,
        known: fc.constant({ generation: 0, write: 0 }),
        before: fc.constant({ generation: 0, write: 0 }),
      }),
    )
    const property = fc.property(
      fc.nat(3),
      fc.nat(3),
      fc.array(item, { maxLength: 6 }),
      (from, to, items) => {
        if (from === to) return
        const sender = world.peers[from] as Member
        world.peers[to]?.receive(sender, { id, version: 2, stamp: undefined, items })
        world.run(20)
      },
    )
    fc.assert(property, { numRuns: 400 })
    world.until(() => world.isServing, 30_000, 'serving')
    assert.ok(voters.every(({ view }) => view.void === undefined))
  })
})

import assert from 'node:assert/strict'
import type { Violation } from '../../../testnet/checkers/history.ts'
import { checkMulticast } from '../../../testnet/checkers/multicast.ts'
import { Groups } from '../../../testnet/cluster/groups.ts'
import { Recorder } from '../../../testnet/cluster/recorder.ts'
import { eventually } from '../../support/eventually.ts'
import { type FakeDaemon, FakeGroup } from './fake-group.ts'

describe('the record of what is said in groups', () => {
  let fake: FakeGroup
  let recorder: Recorder
  let groups: Groups
  let n1: FakeDaemon
  let n2: FakeDaemon
  const both = ['n1', 'n2']

  beforeEach(async () => {
    fake = await FakeGroup.open(2)
    recorder = new Recorder()
    groups = new Groups(recorder)
    n1 = fake.daemon('n1')
    n2 = fake.daemon('n2')
    for (const { id, name } of fake.daemons) recorder.introduce(id, name)
    for (const { name } of fake.daemons) recorder.record({ type: 'started', peer: name, life: 1 })
  })

  afterEach(async () => {
    groups.close()
    recorder.close()
    await fake.close()
  })

  function violations(): readonly Violation[] {
    return checkMulticast(recorder.groupHistory(), { liars: [], quietAtEnd: true }).violations
  }

  function types(peer: string): readonly string[] {
    return recorder
      .groupHistory()
      .flatMap((event) => ('group' in event && event.peer === peer ? [event.type] : []))
  }

  function settled(): Promise<boolean> {
    return eventually('everybody has everything', () => groups.missing(both) === undefined)
  }

  it('holds, under the names of the peers, who entered, published and delivered', async () => {
    await Promise.all(fake.daemons.map(({ participant }) => groups.enter(participant, 'all')))
    await groups.publish(n1.participant, 'all', 'hello')
    await settled()
    await groups.publish(n2.participant, 'all', 'hello, too')
    await settled()
    assert.deepEqual(types('n1'), ['entered', 'published', 'delivered', 'delivered'])
    const reply = recorder.groupHistory().find((event) => event.type === 'published' && event.peer === 'n2')
    assert.deepEqual(reply?.type === 'published' && reply.vector, { 'n1#101': 1, 'n2#101': 1 })
    assert.deepEqual(violations(), [])
    assert.ok(recorder.history().every((event) => event.type === 'started'))
  })

  it('puts a publication where it was asked for, and says that it was attempted until it is answered', async () => {
    await groups.enter(n1.participant, 'all')
    n1.silent = true
    const asked = assert.rejects(groups.publish(n1.participant, 'all', 'into the void'))
    await eventually('it is delivered', () => types('n1').includes('delivered'))
    assert.deepEqual(types('n1'), ['entered', 'attempted', 'delivered'])
    groups.end('n1')
    recorder.record({ type: 'killed', peer: 'n1' })
    n1.kill()
    await asked
    assert.deepEqual(types('n1'), ['entered', 'attempted', 'delivered'])
    assert.deepEqual(violations(), [])
  })

  it('takes for a baseline what a daemon counts and does not deliver any more', async () => {
    n1.publish('one')
    n2.kill()
    n1.publish('two')
    n2.return()
    await Promise.all(fake.daemons.map(({ participant }) => groups.enter(participant, 'all')))
    const entered = recorder.groupHistory().flatMap((event) => (event.type === 'entered' ? [event] : []))
    assert.deepEqual(
      entered.map(({ peer, life, baseline }) => [peer, life, baseline]),
      [
        ['n1', 1, {}],
        ['n2', 2, { 'n1#101': 1 }],
      ],
    )
  })

  it('sees a killed peer return and deliver what it missed', async () => {
    await Promise.all(fake.daemons.map(({ participant }) => groups.enter(participant, 'all')))
    await groups.publish(n1.participant, 'all', 'one')
    await settled()
    groups.end('n2')
    recorder.record({ type: 'killed', peer: 'n2' })
    n2.kill()
    await groups.publish(n1.participant, 'all', 'two')
    await groups.publish(n1.participant, 'all', 'three')
    await eventually('n1 has it', () => groups.missing(['n1']) === undefined)
    n2.return()
    recorder.record({ type: 'started', peer: 'n2', life: 2 })
    await groups.return(n2.participant)
    await settled()
    assert.deepEqual(types('n2'), ['entered', 'delivered', 'entered', 'delivered', 'delivered'])
    assert.equal(groups.repair('n2').missed, 2)
    assert.deepEqual(violations(), [])
  })

  it('says who lacks what', async () => {
    await Promise.all(fake.daemons.map(({ participant }) => groups.enter(participant, 'all')))
    n2.held = []
    await groups.publish(n1.participant, 'all', 'one')
    const words = 'n2 has 0 of the 1 messages of n1 in all, epoch 101'
    await eventually('it is missed', () => groups.missing(both) === words)
    assert.equal(violations()[0]?.property, 'agreement')
    n2.release()
    await settled()
  })

  it('goes on after a lost stream where that ended', async () => {
    await groups.enter(n1.participant, 'all')
    n1.publish('one')
    await eventually('one is read', () => types('n1').length === 2)
    n1.hangUp()
    n1.publish('two')
    await eventually('two is read', () => types('n1').length === 3)
    assert.deepEqual(
      groups.deliveries('all').map(({ data }) => data),
      ['one', 'two'],
    )
  })

  it('measures gaps, and holds what was told to be lost', async () => {
    await Promise.all(fake.daemons.map(({ participant }) => groups.enter(participant, 'all')))
    n2.held = []
    await groups.publish(n1.participant, 'all', 'one')
    const ranges = [{ sender: n1.id, epoch: 101, from: 1, to: 1 }]
    n2.notice('gap', { ranges })
    await eventually('the gap is seen', () => groups.gaps().length === 1)
    assert.equal(groups.gaps()[0]?.closedAt, undefined)
    n2.notice('history-truncated', { ranges })
    await settled()
    assert.ok(groups.gaps()[0]?.closedAt !== undefined)
    assert.deepEqual(types('n2'), ['entered', 'truncated'])
    assert.deepEqual(violations(), [])
  })
})

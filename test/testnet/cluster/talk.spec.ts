import assert from 'node:assert/strict'
import { checkMulticast } from '../../../testnet/checkers/multicast.ts'
import { excerpt } from '../../../testnet/cluster/excerpt.ts'
import { Groups } from '../../../testnet/cluster/groups.ts'
import { Recorder } from '../../../testnet/cluster/recorder.ts'
import { type Stage, Talk } from '../../../testnet/cluster/talk.ts'
import { buildSpaceTime } from '../../../testnet/spacetime/space-time.ts'
import { eventually } from '../../support/eventually.ts'
import { FakeGroup } from './fake-group.ts'

const deed = { do: 'talk', group: 'all', messages: 4, everyMs: 2, replies: true, withinMs: 10_000 } as const

describe('a talk', () => {
  let fake: FakeGroup
  let recorder: Recorder
  let groups: Groups
  let stage: Stage

  beforeEach(async () => {
    fake = await FakeGroup.open(3)
    recorder = new Recorder()
    groups = new Groups(recorder)
    for (const { id, name } of fake.daemons) recorder.introduce(id, name)
    for (const { name } of fake.daemons) recorder.record({ type: 'started', peer: name, life: 1 })
    const now = (name: string): Stage['members'][number] => {
      const daemon = fake.daemon(name)
      const { running } = daemon
      const place = { place: name, dataDir: daemon.dataDir, logPath: '', flags: [], left: [], wiped: false }
      const base = { ...daemon.participant, ...place, previousGeneration: 0 }
      // Of a process no more is asked than whether it runs.
      const process = { running } as unknown as Stage['members'][number]['process']
      return { ...base, process, expected: !running }
    }
    // As a cluster's members are: their fields are always those of now.
    const member = (name: string): Stage['members'][number] =>
      new Proxy(now(name), { get: (_, key) => Reflect.get(now(name), key) })
    stage = {
      recorder,
      groups,
      member,
      get members() {
        return fake.daemons.map(({ name }) => member(name))
      },
      running: () => fake.daemons.filter(({ running }) => running).map(({ name }) => member(name)),
      until: async (missing) => {
        await eventually('nothing is missing', () => missing() === undefined)
      },
    }
  })

  afterEach(async () => {
    groups.close()
    recorder.close()
    await fake.close()
  })

  it('ends when everybody has said everything, one has replied to each, and all have it', async () => {
    const talk = await Talk.start(stage, deed)
    const { said, replies } = await talk.finish()
    assert.deepEqual([said, replies], [12, 12])
    const { violations, figures } = checkMulticast(recorder.groupHistory(), { liars: [], quietAtEnd: true })
    assert.deepEqual(violations, [])
    assert.deepEqual([figures.messages, figures.deliveries, figures.inversions], [24, 72, 0])
  })

  it('goes on as long as the steps beside it, also with one that was killed and is back', async () => {
    const talk = await Talk.start(stage, { ...deed, during: [] })
    const n3 = fake.daemon('n3')
    const saidBy = (name: string): number =>
      groups.deliveries('all').filter(({ data, reader }) => data.startsWith(name) && reader.peer === name)
        .length
    await eventually('they talk', () => saidBy('n3') > 2)
    groups.end('n3')
    recorder.record({ type: 'killed', peer: 'n3' })
    n3.kill()
    const before = saidBy('n1')
    await eventually('the others go on', () => saidBy('n1') > before + 8)
    n3.return()
    recorder.record({ type: 'started', peer: 'n3', life: 2 })
    await groups.return(n3.participant)
    const own = groups.deliveries('all').filter(({ sender }) => sender === n3.id).length
    await eventually(
      'it talks again',
      () => groups.deliveries('all').filter(({ sender }) => sender === n3.id).length > own,
    )
    talk.besideDone()
    const { said } = await talk.finish()
    assert.ok(said > 12)
    const { violations, figures } = checkMulticast(recorder.groupHistory(), { liars: [], quietAtEnd: true })
    assert.deepEqual(violations, [])
    assert.deepEqual(
      figures.catchUps.map(({ peer, life, missed }) => [peer, life, missed > 0]),
      [['n3', 2, true]],
    )
  })

  it('gives an excerpt that can be drawn: each message published once, by its author', async () => {
    await (await Talk.start(stage, deed)).finish()
    const events = excerpt(groups.firstTalk(), 3)
    const { lines, events: built } = buildSpaceTime(events, recorder.names())
    assert.deepEqual([...lines].sort(), ['n1', 'n2', 'n3'])
    assert.equal(built.filter(({ kind }) => kind === 'publish').length, 10)
    assert.ok(built.every(({ synthesised }) => !synthesised))
  })
})

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { P2pdError } from '../../../lib/wire/errors.ts'
import { allScenarios, loadScenario, scenarioNames } from '../../../testnet/cluster/scenario-files.ts'
import { parseScenario } from '../../../testnet/cluster/scenario-format.ts'
import { assertPeers } from '../../../testnet/cluster/scenario-sense.ts'

const bounds = { detectionMs: 1000, convergenceMs: 1000, graceMs: 100 }
const good = { summary: 'One stops', peers: 3, bounds, steps: [{ do: 'stop', peer: 'n2' }] }

const talk = { do: 'talk', group: 'all', messages: 3, replies: true, withinMs: 1000 }

const lock = { do: 'lock', lock: 'door', forMs: 100, leaseMs: 1000, withinMs: 1000 }

function complaint(scenario: unknown): string {
  try {
    parseScenario(typeof scenario === 'string' ? scenario : JSON.stringify(scenario), 'mine')
  } catch (error) {
    assert.ok(error instanceof P2pdError)
    assert.equal(error.code, 'ERR_SCENARIO')
    return error.message
  }
  throw new Error('was accepted')
}

const cut = { do: 'cut', from: ['n1'], to: 'others', ways: 'both' }

/** In a network of their own. */
function withSteps(...steps: readonly unknown[]): unknown {
  return { ...good, network: true, steps }
}

function withStep(step: unknown): unknown {
  return { ...good, steps: [step] }
}

describe('scenarios', () => {
  it('are valid where they come with p2pd, for as many peers as they say, and for each profile', async () => {
    const names = scenarioNames()
    assert.deepEqual(names, [
      ...[
        'catch-up',
        'default',
        'ipv6',
        'kill',
        'leave',
        'leave-all-but-one',
        'link-one-way',
        'lock',
        'loss-10',
      ],
      ...['outsider', 'partition-one-way', 'partition-two-way', 'restart-new-address'],
      ...['restart-same-address', 'rolling-restart', 'silent-death', 'stall-10', 'stall-20', 'stall-5'],
      ...['stop', 'talk', 'wiped', 'wiped-but-key'],
    ])
    for (const scenario of await allScenarios()) {
      assertPeers(scenario, scenario.peers)
      assertPeers(await loadScenario(scenario.name, 'lan'), 100)
      // There it takes longer than these ten seconds until somebody is shown stalled.
      if (scenario.name !== 'stall-10') assertPeers(await loadScenario(scenario.name, 'wan'), 100)
    }
    await assert.rejects(loadScenario('stall-10', 'wan'), {
      code: 'ERR_SCENARIO',
      message: /steps\[2\]\.withinMs is for the profiles local, lan, not for wan/,
    })
  })

  it('stand in the document about them, each by its name', () => {
    const text = readFileSync(fileURLToPath(new URL('../../../../docs/TESTNET.md', import.meta.url)), 'utf8')
    assert.deepEqual(
      scenarioNames().filter((name) => !text.includes(`\`${name}\``)),
      [],
    )
  })

  it('are given there as an example, which can be run', () => {
    const text = readFileSync(fileURLToPath(new URL('../../../../docs/TESTNET.md', import.meta.url)), 'utf8')
    const [, example = ''] = /```json\n([\s\S]*?)```/.exec(text) ?? []
    assert.equal(parseScenario(example, 'example').network, true)
  })

  it('that came first are for the fewest peers as well', async () => {
    for (const name of [
      'catch-up',
      'default',
      'leave',
      'lock',
      'outsider',
      'rolling-restart',
      'stop',
      'talk',
    ]) {
      assertPeers(await loadScenario(name), 3)
    }
  })

  it('may bound the slower profile by other figures', () => {
    const slower = { ...good, bounds: { ...bounds, detectionMs: { local: 1000, lan: 2000 } } }
    const read = (profile: string) => parseScenario(JSON.stringify(slower), 'mine', profile)
    assert.equal(read('local').bounds.detectionMs, 1000)
    assert.equal(read('lan').bounds.detectionMs, 2000)
  })

  it('are found by the path of a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'p2pd-scenario-'))
    try {
      writeFileSync(join(folder, 'mine.json'), JSON.stringify(good))
      const { name, steps } = await loadScenario(join(folder, 'mine.json'))
      assert.equal(name, 'mine')
      assert.deepEqual(steps, good.steps)
      await assert.rejects(loadScenario(join(folder, 'other.json')), { code: 'ERR_UNKNOWN_SCENARIO' })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('that nobody knows are refused with the list of those there are', async () => {
    await assert.rejects(loadScenario('../../etc/passwd'), (error) => {
      assert.ok(error instanceof P2pdError)
      assert.equal(error.code, 'ERR_UNKNOWN_SCENARIO')
      assert.match(
        error.hint ?? '',
        /choose one of catch-up, default, ipv6, kill, .*, or the path of a \.json file/,
      )
      return true
    })
  })

  for (const [what, scenario, expected] of [
    ['is not JSON', '{', /scenario mine: it is not JSON/],
    ['is no object', [], /it must be an object/],
    [
      'has an unknown key',
      { ...good, step: [] },
      /it has no 'step': it takes summary, peers, network, family, bounds, never, steps/,
    ],
    ['has too few peers', { ...good, peers: 2 }, /peers must be a whole number from 3 to 100/],
    ['lacks its bounds', { ...good, bounds: undefined }, /bounds must be an object/],
    ['lacks a bound', { ...good, bounds: { detectionMs: 1 } }, /bounds.convergenceMs must be a whole number/],
    ['has no steps', { ...good, steps: [] }, /steps must be a list of 1 to 100/],
    ['has an unknown step', withStep({ do: 'explode' }), /steps\[0\].do must be one of form, kill,/],
    ['lacks a peer', withStep({ do: 'kill' }), /steps\[0\].peer must be n1, n2 …/],
    ['has a stray field', withStep({ do: 'kill', peer: 'n1', at: 1 }), /steps\[0\] has no 'at'/],
    ['waits for ever', withStep({ do: 'watch', forMs: 1e9 }), /steps\[0\].forMs must be a whole number/],
    ['uses it outside each', withStep({ do: 'kill', peer: 'it' }), /'it' only within 'each'/],
    ['nests each', withStep({ do: 'each', steps: [{ do: 'each' }] }), /steps\[0\].steps\[0\].do must be/],
    ['talks of nothing', withStep({ ...talk, messages: 0 }), /messages must be a whole number from 1/],
    ['talks in a nameless group', withStep({ ...talk, group: 'a b' }), /group must be 1 to 64 characters/],
    ['does not say whether to reply', withStep({ ...talk, replies: 1 }), /replies must be true or false/],
    ['talks within a talk', withStep({ ...talk, during: [talk] }), /during\[0\] is a talk within a talk/],
    ['errs within a talk', withStep({ ...talk, during: [{ do: 'kill' }] }), /during\[0\].peer must be n1/],
    ['locks something nameless', withStep({ ...lock, lock: '' }), /lock must be 1 to 64 characters/],
    ['locks for a moment', withStep({ ...lock, leaseMs: 499 }), /leaseMs must be a whole number from 500 to/],
    [
      'loses what there is not',
      withStep({ ...lock, lose: ['voter', 'face'] }),
      /lose\[1\] must be one of holder/,
    ],
    ['catches up never', withStep({ do: 'catch-up', peer: 'n1' }), /steps\[0\].withinMs must be a whole/],
    [
      'expects the impossible',
      withStep({ do: 'expect', peer: 'n1', status: 'gone', withinMs: 1 }),
      /status must be one of alive, suspect, dead, left/,
    ],
    ['is for other profiles', { ...good, peers: { lan: 3 } }, /peers is for the profiles lan, not for local/],
    [
      'bounds stalls by half',
      { ...good, bounds: { ...bounds, stalls: { shownMs: 1 } } },
      /stalls.memberMs must/,
    ],
    [
      'forbids life',
      { ...good, never: [{ status: 'alive' }] },
      /never\[0\].status must be one of suspect, dead/,
    ],
    ['forbids nothing', { ...good, never: [] }, /never must be a list of 1 to 100/],
    [
      'expects the dead stalled',
      withStep({ do: 'expect', peer: 'n1', status: 'dead', detail: 'stalled', withinMs: 1 }),
      /steps\[0\].detail goes with status suspect alone/,
    ],
    [
      'expects the living to say why',
      withStep({ do: 'expect', peer: 'n1', status: 'alive', reason: 'leaving', withinMs: 1 }),
      /steps\[0\].reason goes with status left alone/,
    ],
    [
      'keeps what there is not',
      withStep({ do: 'wipe', peer: 'n1', keep: 'port' }),
      /keep must be one of key/,
    ],
    [
      'resumes before the pause',
      withStep({ do: 'resume', peer: 'n1', afterMs: 0 }),
      /afterMs must be a whole/,
    ],
    ['cuts what it did not make', withStep(cut), /steps\[0\] needs a network of its own: "network": true/],
    [
      'loses on a real network',
      withStep({ do: 'lose', percent: 1 }),
      /steps\[0\] needs a network of its own/,
    ],
    [
      'loses everything',
      withSteps({ do: 'lose', percent: 100 }),
      /percent must be a whole number from 1 to 99/,
    ],
    ['mends what is whole', withSteps({ do: 'mend' }), /steps\[0\] has nothing to mend/],
    ['mends twice', withSteps(cut, { do: 'mend' }, { do: 'mend' }), /steps\[2\] has nothing to mend/],
    ['cuts a peer off itself', withSteps({ ...cut, to: ['n2', 'n1'] }), /steps\[0\] has n1 on both sides/],
    ['cuts three ways', withSteps({ ...cut, ways: 'three' }), /ways must be one of one, both/],
    ['cuts nobody off', withSteps({ ...cut, from: [] }), /from must be a list of 1 to 100/],
    ['lets a stranger in', withSteps({ do: 'outsider', name: 'm' }), /has no place in a network of its own/],
    [
      'spares what it cannot name',
      withStep({ do: 'each', but: ['it'], steps: [talk] }),
      /but\[0\] must be n1/,
    ],
  ] as const) {
    it(`are refused, with the place, when one ${what}`, () => {
      assert.match(complaint(scenario), expected)
    })
  }

  it('are refused when they name a peer that there is not', () => {
    const scenario = parseScenario(JSON.stringify(withStep({ do: 'kill', peer: 'n4' })), 'mine')
    assert.throws(() => assertPeers(scenario, 3), /needs n4, and there are 3/)
    assertPeers(scenario, 4)
    const during = [{ do: 'kill', peer: 'n4' }]
    const talking = parseScenario(JSON.stringify(withStep({ ...talk, during })), 'mine')
    assert.throws(() => assertPeers(talking, 3), /needs n4, and there are 3/)
  })

  it('are refused when they cut off, spare, ask or protect a peer that there is not', () => {
    const absent: readonly unknown[] = [
      withSteps({ ...cut, from: ['n4'] }),
      withSteps({ ...cut, to: ['n4'] }),
      withStep({ do: 'each', but: ['n4'], steps: [{ do: 'kill', peer: 'it' }] }),
      withStep({ do: 'expect', peer: 'n1', status: 'dead', by: ['n4'], withinMs: 1 }),
      { ...good, never: [{ status: 'dead', peer: 'n4' }] },
    ]
    for (const scenario of absent) {
      const parsed = parseScenario(JSON.stringify(scenario), 'mine')
      assert.throws(() => assertPeers(parsed, 3), /needs n4, and there are 3/)
      assertPeers(parsed, 4)
    }
    const all = parseScenario(JSON.stringify(withSteps({ ...cut, from: ['n1', 'n2', 'n3'] })), 'mine')
    assert.throws(() => assertPeers(all, 3), /cuts all 3 peers off from nobody/)
  })

  it('need no network of their own, and forbid nothing more, unless they say so', () => {
    const { network, family, never } = parseScenario(JSON.stringify(good), 'mine')
    assert.deepEqual([network, family, never], [false, 'ip4', []])
    const forbidden = [{ status: 'dead' }, { status: 'left', peer: 'n1' }]
    const strict = { ...good, network: true, family: 'ip6', never: forbidden }
    const parsed = parseScenario(JSON.stringify(strict), 'mine')
    assert.deepEqual([parsed.network, parsed.family, parsed.never], [true, 'ip6', strict.never])
  })

  it('lose nobody over a lock unless they say so', () => {
    const { steps } = parseScenario(JSON.stringify(withStep(lock)), 'mine')
    assert.deepEqual(steps, [{ ...lock, lose: [] }])
    const lose = ['holder', 'stalled-holder', 'voter', 'quorum']
    assert.deepEqual(parseScenario(JSON.stringify(withStep({ ...lock, lose })), 'mine').steps, [
      { ...lock, lose },
    ])
  })

  it('let somebody talk every 20 ms unless they say otherwise', () => {
    const { steps } = parseScenario(JSON.stringify(withStep(talk)), 'mine')
    assert.deepEqual(steps, [{ ...talk, everyMs: 20 }])
  })
})

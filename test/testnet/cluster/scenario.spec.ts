import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { P2pdError } from '../../../lib/wire/errors.ts'
import { loadScenario, scenarioNames } from '../../../testnet/cluster/scenario-files.ts'
import { assertPeers, parseScenario } from '../../../testnet/cluster/scenario-format.ts'

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

function withStep(step: unknown): unknown {
  return { ...good, steps: [step] }
}

describe('scenarios', () => {
  it('are valid where they come with p2pd, for the fewest peers as well', async () => {
    const names = await scenarioNames()
    assert.deepEqual(names, [
      ...['catch-up', 'default', 'leave', 'lock', 'outsider', 'rolling-restart', 'stop', 'talk'],
    ])
    for (const name of names) {
      const scenario = await loadScenario(name)
      assert.equal(scenario.name, name)
      assertPeers(scenario, 3)
    }
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
      assert.match(error.hint ?? '', /catch-up, default, leave, lock, outsider, rolling-restart, stop, talk/)
      return true
    })
  })

  for (const [what, scenario, expected] of [
    ['is not JSON', '{', /scenario mine: it is not JSON/],
    ['is no object', [], /it must be an object/],
    ['has an unknown key', { ...good, step: [] }, /it has no 'step': it takes summary, peers, bounds, steps/],
    ['has too few peers', { ...good, peers: 2 }, /peers must be a whole number from 3 to 20/],
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
      /status must be one of alive, dead, left/,
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

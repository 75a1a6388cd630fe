import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const entry = fileURLToPath(new URL('../../bin/sim.js', import.meta.url))

function sim(...args: string[]): { status: number | null; lines: string[]; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [entry, ...args], { encoding: 'utf8' })
  return { status, lines: stdout.trimEnd().split('\n'), stderr }
}

describe('npm run sim', function () {
  this.timeout(60_000)

  it('ends with a summary and 0 when every seed holds', () => {
    const { status, lines } = sim('--protocol', 'membership', '--from', '3', '--seeds', '2')
    assert.equal(status, 0)
    assert.deepEqual(JSON.parse(lines.at(-1) ?? ''), {
      protocol: 'membership',
      seeds: 2,
      violations: 0,
      mutant: null,
      killedBySeed: null,
    })
  })

  it('names the seed that caught a mutant and how to replay it', () => {
    const { status, lines } = sim('--protocol', 'membership', '--mutant', 'incarnation-not-persisted')
    assert.equal(status, 0)
    const { mutant, killedBySeed, violations } = JSON.parse(lines.at(-1) ?? '')
    assert.equal(mutant, 'incarnation-not-persisted')
    assert.ok(killedBySeed >= 1 && violations >= 1)
    const replay = `--from ${killedBySeed} --seeds 1 --mutant incarnation-not-persisted`
    assert.ok(lines.some((line) => line.includes(replay)))
  })

  it('writes a failing seed as one line of JSON when asked', () => {
    const { lines } = sim('--protocol', 'membership', '--mutant', 'incarnation-not-persisted', '--json')
    const [failure, summary] = lines.map((line) => JSON.parse(line))
    assert.equal(failure.seed, summary.killedBySeed)
    assert.equal(failure.violations[0].property, 'incarnation-on-disk')
    assert.match(failure.traceHash, /^[0-9a-f]{16}$/)
  })

  it('lists the mutants and exits 2 for one that it does not know', () => {
    for (const name of ['list', 'no-such-mutant']) {
      const { status, stderr } = sim('--protocol', 'membership', '--mutant', name)
      assert.equal(status, 2)
      assert.match(stderr, /no-refutation/)
    }
  })

  it('exits 2 for a protocol, a count or a flag that makes no sense', () => {
    assert.equal(sim('--protocol', 'gossip').status, 2)
    assert.equal(sim('--protocol', 'membership', '--seeds', '0').status, 2)
    const { status, stderr } = sim('--protocol', 'membership', '--seed', '1', '--json')
    assert.equal(status, 2)
    assert.equal(JSON.parse(stderr).error.code, 'ERR_USAGE')
  })
})

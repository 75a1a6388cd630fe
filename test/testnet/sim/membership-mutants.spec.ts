import assert from 'node:assert/strict'
import { profiles } from '../../../lib/protocols/membership/config.ts'
import type { MembershipSimOptions } from '../../../testnet/sim/membership/options.ts'
import { type MembershipRun, runMembership } from '../../../testnet/sim/membership/run.ts'
import { membershipMutants } from '../../mutants/membership.ts'
import { describeRun } from './describe-run.ts'
import { ScriptedCluster } from './scripted.ts'

/** A mutant has to be caught by one of so many seeds, from the one that caught it last. */
const seeds = 100

/**
 * Where each was caught last: most need a rare meeting of faults, and to look for
 * that in each run would take minutes. A change to the protocol moves it; then the
 * search goes on from there, and `npm run sim -- --protocol membership --seeds 500
 * --mutant NAME` tells a better place to begin.
 */
const caughtAt: Readonly<Record<string, number>> = {
  'no-refutation': 2,
  'no-suspicion': 4,
  'unsigned-accusations': 84,
  'one-accuser': 65,
  'incarnation-not-persisted': 1,
  'wall-clock-ages': 5,
  'wall-clock-generation': 5,
  'dismissals-of-the-living': 235,
  'stalled-ignored': 5,
  'no-evidence-dials': 5,
  'merge-by-arrival': 4,
}

/** Of the liars' choices and the timers' lateness. */
const storySeed = 2

/** What needs too rare a meeting of faults: told without chance. Each says whether the promise was kept. */
const stories: Readonly<
  Record<string, (script: (overrides?: Partial<MembershipSimOptions>) => ScriptedCluster) => boolean>
> = {
  'no-fresh-dial': (begin) => {
    const script = begin()
    script.form(4)
    const side = script.hosts.slice(0, 2)
    script.cut(side)
    script.run(60_000)
    script.mend(side)
    script.run(4000)
    return script.cluster.agreed()
  },
  'tombstones-forgotten': (begin) => {
    const script = begin({ config: { ...profiles.local, goneMs: 3000 } })
    script.form(5)
    const [, subject, late, ...others] = script.hosts
    if (subject === undefined || late === undefined) return false
    late.process?.freeze()
    script.cluster.end(subject, 'kill')
    script.run(12_000)
    const from = script.world.now
    late.process?.thaw()
    script.run(3000)
    return others.every((other) => script.shown(other, subject, from).length === 0)
  },
  'muted-accusers-ignored': (begin) => {
    const script = begin()
    script.form(3, ['suspects'])
    const [observer, silent, stopped] = script.hosts
    if (observer === undefined || silent === undefined || stopped === undefined) return false
    // Nobody lets the fourth open a suspicion for a minute, and it tells the truth again.
    script.cluster.lyingFrom = script.world.now
    script.run(8000)
    script.cluster.lyingFrom = Number.POSITIVE_INFINITY
    script.run(1000)
    stopped.process?.freeze()
    script.cluster.end(silent, 'power-cut')
    script.run(22_000)
    return script.shows(observer, silent) === 'dead'
  },
  'refusals-outrank-bytes': (begin) => {
    const script = begin()
    script.form(4, ['refuses', 'refuses'])
    script.cluster.lyingFrom = script.world.now
    // It cannot object, and its connections stay.
    script.hosts[1]?.process?.freeze()
    script.run(3000)
    return script.cluster.history.every((event) => event.type !== 'view' || event.status !== 'dead')
  },
  'no-lag-hop': (begin) => {
    const script = begin()
    script.form(5)
    const [stalled, ...others] = script.hosts
    if (stalled === undefined) return false
    const from = script.world.now
    // It has asked, and the answers lie in its sockets.
    for (let i = 0; i < 4; i++) {
      const sent = stalled.process?.figures.framesSent
      while (stalled.process?.figures.framesSent === sent) script.run(0.05)
      stalled.process?.freeze()
      script.run(1500)
      stalled.process?.thaw()
      script.run(700)
    }
    return others.every((other) => !script.shown(stalled, other, from).includes('suspect'))
  },
}

describe('mutants of membership', function () {
  this.timeout(300_000)

  for (const mutant of membershipMutants.filter(({ name }) => !Object.hasOwn(stories, name))) {
    it(`are caught when ${mutant.mistake}`, () => {
      const caught = (seed: number): MembershipRun | undefined => {
        const run = runMembership(seed, { mutant })
        return run.violations.length > 0 ? run : undefined
      }
      const known = caughtAt[mutant.name] ?? 1
      let seed = known
      for (; caught(seed) === undefined; seed++) {
        assert.ok(seed < known + seeds, `no seed from ${known} to ${seed} catches it`)
      }
      // Caught for its mistake, and not because the seed is broken anyway.
      const clean = runMembership(seed)
      assert.deepEqual(clean.violations, [], describeRun('membership', seed, clean))
    })
  }

  for (const mutant of membershipMutants) {
    const story = stories[mutant.name]
    if (story === undefined) continue
    it(`are caught by a story when ${mutant.mistake}`, () => {
      assert.equal(
        story((overrides) => new ScriptedCluster(storySeed, overrides)),
        true,
      )
      assert.equal(
        story((overrides) => new ScriptedCluster(storySeed, overrides, mutant)),
        false,
      )
    })
  }
})

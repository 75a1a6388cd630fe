import assert from 'node:assert/strict'
import { profiles } from '../../../lib/protocols/membership/config.ts'
import { ScriptedCluster } from './scripted.ts'
import { quietNetwork } from './toy.ts'

describe('a member that leaves and ends as soon as it is told that it may', () => {
  for (const [members, loss] of [
    [4, 0.1],
    [12, 0.1],
    [12, 0.2],
  ] as const) {
    it(`is known to have left by ${members - 1} others within a second at ${100 * loss} % loss`, () => {
      for (let seed = 1; seed <= 3; seed++) {
        const network = { ...quietNetwork, latencyMinMs: 0.1, latencyMaxMs: 1, loss }
        const it = new ScriptedCluster(seed, { profile: 'lan', config: profiles.lan, network })
        it.form(members)
        const [, leaver, ...rest] = it.hosts
        const others = it.hosts.filter((host) => host !== leaver)
        assert.ok(leaver !== undefined && rest.length > 0)
        leaver.state = 'ending'
        leaver.process?.command({ type: 'leave' })
        it.run(1000)
        assert.notEqual(leaver.process?.alive, true)
        assert.deepEqual(
          others.map((other) => it.shows(other, leaver)),
          others.map(() => 'left'),
          `seed ${seed}`,
        )
      }
    })
  }
})

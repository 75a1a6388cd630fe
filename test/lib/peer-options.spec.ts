import assert from 'node:assert/strict'
import type { PeerOptions } from '../../lib/index.ts'
import { clusterId, settingsOf } from '../../lib/peer-options.ts'
import { profiles } from '../../lib/protocols/membership/config.ts'

describe('the options of a peer', () => {
  const secret = '5a'.repeat(32)
  const settings = (options: Partial<PeerOptions> = {}) => settingsOf({ cluster: 'shop', secret, ...options })

  it('have it found what one alone may found unless it knows of others, or looks for them', () => {
    const join = ['/ip4/192.0.2.1/tcp/4001']
    assert.equal(settings().joins, false)
    assert.equal(settings({ join }).joins, true)
    assert.equal(settings({ mdns: true }).joins, true)
    assert.equal(settings({ mdns: true, first: true }).joins, false)
    assert.equal(settings({ first: false }).joins, true)
  })

  it('take tags as they are at that moment', () => {
    const tags: Record<string, string> = { role: 'web' }
    const taken = settings({ tags }).tags
    tags.role = 'db'
    assert.deepEqual(taken, { role: 'web' })
    assert.deepEqual(settings().tags, {})
    for (const wrong of [{ 'a b': '' }, { a: 1 }, ['role=web'], 'role=web', 3]) {
      assert.throws(() => settings({ tags: wrong as never }), { code: 'ERR_BAD_OPTION', hint: /role: 'web'/ })
    }
  })

  it('take a profile whole, and single knobs over it', () => {
    assert.deepEqual(settings().config, profiles.lan)
    const { config, profile } = settings({ profile: 'wan', membership: { fastPath: false } })
    assert.deepEqual([config, profile], [{ ...profiles.wan, fastPath: false }, 'wan'])
  })

  it('name the cluster by name and secret, and by neither alone', () => {
    const bytes = new Uint8Array(32)
    assert.match(clusterId('shop', bytes), /^[0-9a-f]{32}$/)
    assert.notEqual(clusterId('shop', bytes), clusterId('shop', new Uint8Array(32).fill(1)))
    assert.notEqual(clusterId('shop', bytes), clusterId('other', bytes))
  })
})

import assert from 'node:assert/strict'
import { OwnTags } from '../../lib/own-tags.ts'
import type { Tags } from '../../lib/protocols/membership/messages.ts'
import { eventually } from '../support/eventually.ts'

describe('the own tags', () => {
  it('are told at once, and those that follow closely are told together', async () => {
    const told: Tags[] = []
    const tags = new OwnTags({}, (changed) => told.push(changed))
    for (let load = 0; load < 50; load++) tags.set({ load: String(load) })
    assert.deepEqual(told, [{ load: '0' }])
    assert.deepEqual(tags.current, { load: '49' })
    await eventually('the last one', () => told.length === 2)
    assert.deepEqual(told[1], { load: '49' })
    tags.set({})
    tags.stop()
    assert.deepEqual(tags.current, {})
  })
})

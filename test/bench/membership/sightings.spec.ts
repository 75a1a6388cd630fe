import assert from 'node:assert/strict'
import { Sightings } from '../../../bench/membership/sightings.ts'

const signal = new AbortController().signal

describe('sightings', () => {
  it('hold until everybody shows everybody so', async () => {
    const sightings = new Sightings()
    const names = ['n1', 'n2']
    const holds = () => sightings.everywhere(names, names, 'alive')
    const waiting = sightings.until(holds, 10_000, signal)
    for (const observer of names) for (const subject of names) sightings.see(observer, subject, 'alive')
    assert.equal(await waiting, true)
    sightings.see('n1', 'n2', 'dead')
    assert.equal(holds(), false)
  })

  it('void what somebody showed who has ended', () => {
    const sightings = new Sightings()
    sightings.see('n1', 'n2', 'alive')
    sightings.forget('n1')
    assert.equal(sightings.status('n1', 'n2'), undefined)
    assert.equal(sightings.log().length, 1)
  })

  it('tell a change once, however often it is shown', () => {
    const sightings = new Sightings()
    for (const status of ['alive', 'alive', 'suspect', 'suspect'] as const) {
      sightings.see('n1', 'n2', status)
    }
    assert.deepEqual(
      sightings.log().map(({ status }) => status),
      ['alive', 'suspect'],
    )
  })

  it('count each listener once', () => {
    const sightings = new Sightings()
    for (const observer of ['n1', 'n2', 'n1']) sightings.hear(observer, 'news')
    assert.deepEqual([sightings.heardBy('news'), sightings.heardBy('other')], [2, 0])
  })

  it('are not waited for longer than was said, and not after an abort', async () => {
    const sightings = new Sightings()
    assert.equal(await sightings.until(() => false, 10, signal), false)
    const stop = new AbortController()
    const waiting = sightings.until(() => false, 10_000, stop.signal)
    stop.abort(new Error('interrupted'))
    await assert.rejects(waiting, /interrupted/)
  })
})

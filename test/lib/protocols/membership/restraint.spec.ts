import assert from 'node:assert/strict'
import { Lab, ScriptedPeer } from './lab.ts'

describe('restraint', () => {
  it('asks once, and not with every answer, how old another life of its own is', () => {
    const lab = new Lab()
    const a = new ScriptedPeer('a')
    const other = new ScriptedPeer('m')
    other.generation = 2_000_000
    lab.start()
    lab.connect(a)
    lab.take()
    for (let i = 0; i < 50; i++) {
      lab.receive(a, a.packet({ type: 'gossip' }, [other.update()]))
      lab.run(1)
    }
    const pings = lab.sent(a).filter(({ body }) => body.type === 'ping')
    assert.ok(pings.length >= 1 && pings.length <= 2, `${pings.length}`)
  })
})

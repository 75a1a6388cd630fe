import assert from 'node:assert/strict'
import { heard, ToyWorld } from './toy.ts'

describe('simulated process', () => {
  const connected = (writeMs: number) => {
    const toys = new ToyWorld()
    const [a, b] = [toys.addHost(writeMs), toys.addHost()]
    toys.connect(a, b.address)
    toys.run(100)
    a.events.length = b.events.length = 0
    return { toys, a, b }
  }

  it('holds later effects back until a write is durable, and steps on meanwhile', () => {
    const { toys, a, b } = connected(50)
    a.process.command({ type: 'say', to: b.peer, value: 1, durably: true })
    a.process.command({ type: 'say', to: b.peer, value: 2, durably: false })
    toys.run(40)
    assert.deepEqual(heard(b), [])
    assert.equal(a.machine.disk.read('said'), undefined)
    toys.run(20)
    assert.deepEqual(a.machine.disk.read('said'), Uint8Array.of(1))
    assert.deepEqual(heard(b), [1, 2])
  })

  it('sends nothing that waited for a write when it is killed before', () => {
    for (let i = 0; i < 10; i++) {
      const { toys, a, b } = connected(50)
      a.process.command({ type: 'say', to: b.peer, value: 1, durably: true })
      toys.run(40)
      a.process.kill()
      toys.run(1000)
      assert.deepEqual(heard(b), [])
    }
  })

  it('writes notes one after the other, the newest last, and holds nothing back for them', () => {
    const { toys, a, b } = connected(50)
    for (const value of [1, 2, 3]) a.process.command({ type: 'note', value })
    a.process.command({ type: 'say', to: b.peer, value: 7, durably: false })
    toys.run(10)
    assert.deepEqual(heard(b), [7])
    toys.run(50)
    assert.deepEqual(a.machine.disk.read('noted'), Uint8Array.of(1))
    toys.run(50)
    assert.deepEqual(a.machine.disk.read('noted'), Uint8Array.of(3))
  })

  it('keeps its disk over a restart', () => {
    const { toys, a, b } = connected(5)
    a.process.command({ type: 'say', to: b.peer, value: 9, durably: true })
    toys.run(100)
    a.process.kill()
    toys.restart(a)
    assert.deepEqual(a.machine.disk.read('said'), Uint8Array.of(9))
  })

  it('wakes its core at the deadline, a little late', () => {
    const { toys, a } = connected(1)
    a.process.command({ type: 'wake-at', at: 500 })
    toys.run(1000)
    const [woken] = a.events
    assert.equal(woken?.type, 'woken')
    assert.ok(woken.at >= 500 && woken.at <= 501.1, `${woken.at}`)
  })

  it('is woken early again when the deadline moves forward', () => {
    const { toys, a } = connected(1)
    a.process.command({ type: 'wake-at', at: 900 })
    toys.run(1)
    a.process.command({ type: 'wake-at', at: 300 })
    toys.run(1000)
    assert.equal(a.events.length, 1)
    assert.ok((a.events[0]?.at ?? 0) < 302)
  })

  it('hears what waited in its sockets before a late timer, and how late that is', () => {
    const { toys, a, b } = connected(1)
    b.process.command({ type: 'wake-at', at: 1000 })
    toys.run(1)
    b.process.freeze()
    a.process.command({ type: 'say', to: b.peer, value: 3, durably: false })
    toys.run(3000)
    assert.equal(b.events.length, 0)
    const lag = b.process.now.monotonic - 1000
    b.process.thaw()
    assert.deepEqual(
      b.events.map(({ type }) => type),
      ['heard', 'woken'],
    )
    const woken = b.events[1]
    assert.ok(woken?.type === 'woken' && Math.abs(woken.lagMs - lag) < 1e-6)
  })

  it('counts bytes that do not decode and goes on', () => {
    const { toys, a, b } = connected(1)
    const end = a.process.connectionsTo(b.peer)[0]
    end?.send({ bytes: Uint8Array.of(1, 2, 3), hash: 0 })
    end?.send({ bytes: Uint8Array.of(0, 4), hash: 0 })
    toys.run(10)
    assert.equal(b.process.figures.malformed, 1)
    assert.deepEqual(heard(b), [4])
  })

  it('has a wall clock that can be set while the monotonic one runs on', () => {
    const { toys, a } = connected(1)
    const before = a.process.now
    a.machine.clock.stepWall(-60_000)
    toys.run(1000)
    const after = a.process.now
    assert.equal(Math.round(after.monotonic - before.monotonic), 1000)
    assert.equal(after.wall - before.wall, -59_000)
  })
})

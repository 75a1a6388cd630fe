import assert from 'node:assert/strict'
import { backlogLimit } from '../../../testnet/sim/process.ts'
import { heard, ToyWorld } from './toy.ts'

describe('simulated network', () => {
  const pair = (options = {}, seed = 1) => {
    const toys = new ToyWorld(options, seed)
    const [a, b] = [toys.addHost(), toys.addHost()]
    return { toys, a, b }
  }
  const connected = (options = {}, seed = 1) => {
    const { toys, a, b } = pair(options, seed)
    const outcome = toys.connect(a, b.address, 30_000)
    for (let i = 0; i < 30 && outcome.state === 'pending'; i++) toys.run(1000)
    assert.equal(outcome.state, 'open')
    a.events.length = b.events.length = 0
    return { toys, a, b }
  }
  const types = (host: { events: { type: string }[] }) => host.events.map((event) => event.type)

  it('tells both ends of a new connection', () => {
    const { toys, a, b } = pair()
    const outcome = toys.connect(a, b.address)
    toys.run(100)
    assert.equal(outcome.state, 'open')
    assert.deepEqual(types(a), ['connected'])
    assert.deepEqual(types(b), ['connected'])
  })

  it('refuses a connect when the machine runs and the process does not', () => {
    const { toys, a, b } = pair()
    b.process.kill()
    const outcome = toys.connect(a, b.address)
    toys.run(10)
    assert.equal(outcome.state, 'refused')
  })

  it('lets a connect time out when the machine is off, cut away or stands still', () => {
    for (const fault of ['off', 'cut', 'suspended']) {
      const { toys, a, b } = pair()
      if (fault === 'off') {
        b.machine.powerOff()
        b.process.vanish()
      } else if (fault === 'cut') toys.network.links.cut(1, 0)
      else b.machine.suspend()
      const outcome = toys.connect(a, b.address, 500)
      toys.run(499)
      assert.equal(outcome.state, 'pending', fault)
      toys.run(10)
      assert.equal(outcome.state, 'timeout', fault)
    }
  })

  it('tells a stopped process from a silent machine: something takes the connect', () => {
    const { toys, a, b } = pair()
    b.process.freeze()
    const outcome = toys.connect(a, b.address, 500)
    toys.run(510)
    assert.equal(outcome.state, 'unanswered')
    assert.deepEqual(types(a), [])
  })

  it('lets a connect time out when the backlog of a stopped process is full', () => {
    const { toys, a, b } = pair()
    b.process.freeze()
    const outcomes = Array.from({ length: backlogLimit + 1 }, () => toys.connect(a, b.address, 500))
    toys.run(510)
    assert.equal(outcomes.filter(({ state }) => state === 'unanswered').length, backlogLimit)
    assert.equal(outcomes.at(-1)?.state, 'timeout')
  })

  it('closes what waited in the backlog of a stopped process when that is killed', () => {
    const { toys, a, b } = pair()
    b.process.freeze()
    const outcome = toys.connect(a, b.address, 5000)
    toys.run(100)
    b.process.kill()
    toys.run(100)
    assert.equal(outcome.state, 'unreachable')
    const next = toys.connect(a, b.address, 5000)
    toys.run(100)
    assert.equal(next.state, 'refused')
  })

  it('keeps connections over a stop of the machine, and what was sent meanwhile', () => {
    const { toys, a, b } = connected()
    b.machine.suspend()
    a.process.command({ type: 'say', to: b.peer, value: 1, durably: false })
    b.process.command({ type: 'say', to: a.peer, value: 2, durably: false })
    toys.run(10_000)
    assert.deepEqual([...heard(a), ...heard(b)], [])
    b.machine.resume()
    toys.run(20_000)
    assert.deepEqual([heard(a), heard(b)], [[2], [1]])
  })

  it('tells a process that dialled itself', () => {
    const { toys, a } = pair()
    const outcome = toys.connect(a, a.address)
    toys.run(100)
    assert.equal(outcome.state, 'self')
  })

  it('delivers a stream in order and whole, however much is lost on the way', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { toys, a, b } = connected({ loss: 0.3, jitterMs: 5 }, seed)
      const values = Array.from({ length: 100 }, (_, i) => i)
      for (const value of values) {
        a.process.command({ type: 'say', to: b.peer, value, durably: false })
        toys.run(1)
      }
      toys.run(600_000)
      assert.deepEqual(heard(b), values)
    }
  })

  it('loses, doubles and reorders datagrams', () => {
    const { toys, a, b } = connected(
      { transport: 'datagram', loss: 0.1, duplication: 0.1, reordering: 0.3 },
      3,
    )
    for (let value = 0; value < 500; value++) {
      a.process.command({ type: 'say', to: b.peer, value, durably: false })
      toys.run(1)
    }
    toys.run(1000)
    const values = heard(b)
    const distinct = new Set(values)
    assert.ok(distinct.size < 500 && distinct.size > 400, 'some are lost')
    assert.ok(values.length > distinct.size, 'some come twice')
    assert.ok(
      values.some((value, i) => i > 0 && value < (values[i - 1] as number)),
      'some overtake',
    )
  })

  it('holds a stream back while the way is cut and goes on after it', () => {
    const { toys, a, b } = connected()
    toys.network.links.cut(0, 1)
    a.process.command({ type: 'say', to: b.peer, value: 1, durably: false })
    toys.run(3000)
    a.process.command({ type: 'say', to: b.peer, value: 2, durably: false })
    assert.deepEqual(heard(b), [])
    toys.network.links.mend(0, 1)
    toys.run(10_000)
    assert.deepEqual(heard(b), [1, 2])
    assert.deepEqual(types(a), [])
  })

  it('lets only a window of frames through while the way back is cut', () => {
    const { toys, a, b } = connected()
    toys.network.links.cut(1, 0)
    for (let value = 0; value < 50; value++) {
      a.process.command({ type: 'say', to: b.peer, value, durably: false })
    }
    toys.run(5000)
    assert.equal(heard(b).length, 10)
    toys.network.links.mend(1, 0)
    toys.run(60_000)
    assert.equal(heard(b).length, 50)
  })

  it('closes for a killed process and says nothing for a machine without power', () => {
    const killed = connected()
    killed.b.process.kill()
    killed.toys.run(10)
    assert.deepEqual(types(killed.a), ['disconnected-remote'])

    const dark = connected()
    dark.b.machine.powerOff()
    dark.b.process.vanish()
    dark.toys.run(60_000)
    assert.deepEqual(types(dark.a), [])
  })

  it('resets what speaks to a life that is over', () => {
    const { toys, a, b } = connected()
    b.machine.powerOff()
    b.process.vanish()
    toys.run(1000)
    toys.restart(b)
    toys.run(1000)
    assert.deepEqual(types(a), [])
    a.process.command({ type: 'say', to: b.peer, value: 1, durably: false })
    toys.run(10)
    assert.deepEqual(types(a), ['disconnected-remote'])
    assert.deepEqual(heard(b), [])
  })

  it('tells of the last connection only', () => {
    const { toys, a, b } = connected()
    const second = toys.connect(b, a.address)
    toys.run(100)
    assert.deepEqual([...types(a), ...types(b)], [])
    second.end?.close()
    toys.run(100)
    assert.deepEqual([...types(a), ...types(b)], [])
    a.process.connectionsTo(b.peer)[0]?.close()
    toys.run(100)
    assert.deepEqual(types(a), ['disconnected-local'])
    assert.deepEqual(types(b), ['disconnected-remote'])
  })
})

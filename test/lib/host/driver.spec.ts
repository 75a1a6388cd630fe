import assert from 'node:assert/strict'
import { newCounters } from '../../../lib/host/counters.ts'
import { Driver } from '../../../lib/host/driver.ts'
import { turnsBeforeWake } from '../../../lib/host/loop-turns.ts'
import { withResolvers } from '../../../lib/host/with-resolvers.ts'
import type { Codec, Core, Effect, Input, Instant, PeerId } from '../../../lib/protocols/core.ts'
import { P2pdError } from '../../../lib/wire/errors.ts'
import { eventually } from '../../support/eventually.ts'
import { forkEchoPeer, killChildPeers } from './child-peer.ts'
import { startRawPeer, stopRawPeers, testProtocol } from './raw-peer.ts'

type Command = { readonly type: 'go'; readonly effects: readonly TestEffect[] } | { readonly type: 'bad' }
type Request = { readonly type: 'ask'; readonly id: number }
type TestEffect = Effect<string, string, Request>
type TestInput = Input<string, Command>

const codec: Codec<string> = {
  encode: (message) => new TextEncoder().encode(message),
  decode: (bytes) => new TextDecoder().decode(bytes),
}

/** Does as it is told, and remembers what it was stepped with. */
class ScriptedCore implements Core<string, Command, string, Request> {
  readonly inputs: TestInput[] = []
  deadline: number | undefined
  onWake: (now: Instant) => void = () => {
    this.deadline = undefined
  }

  step(input: TestInput, now: Instant): readonly TestEffect[] {
    this.inputs.push(input)
    if (input.type === 'bad') throw new Error('a broken assertion')
    if (input.type === 'wake') this.onWake(now)
    return input.type === 'go' ? input.effects : []
  }
}

function rig(
  write: (entries: ReadonlyMap<string, Uint8Array | undefined>) => Promise<void> = async () => {},
) {
  const core = new ScriptedCore()
  const log: string[] = []
  const counters = newCounters()
  const failures: unknown[] = []
  const driver = new Driver<string, Command, string, Request>({
    core,
    codec,
    counters,
    send: (to, bytes) => log.push(`send ${to} ${codec.decode(bytes)}`),
    write: async (entries) => {
      log.push(`write ${[...entries.keys()].join('+')}`)
      await write(entries)
    },
    emit: (event) => {
      log.push(`emit ${event}`)
      if (event === 'again') driver.command({ type: 'go', effects: [emit('inner')] })
    },
    request: (request) => log.push(`ask ${request.id}`),
    writeFailed: () => log.push('write failed'),
    failed: (error) => failures.push(error),
  })
  return { core, driver, log, counters, failures }
}

const peer = 'p' as PeerId
const emit = (event: string): TestEffect => ({ type: 'emit', event })
const send = (message: string): TestEffect => ({ type: 'send', to: peer, message })
const persist = (key: string): TestEffect => ({ type: 'persist', key, value: new Uint8Array(1) })
const note = (key: string): TestEffect => ({ type: 'note', key, value: new Uint8Array(1) })
const go = (...effects: readonly TestEffect[]): Command => ({ type: 'go', effects })

describe('the driver', () => {
  it('carries out effects in order, messages through the codec', () => {
    const { driver, log } = rig()
    driver.command(go(send('a'), emit('b'), { type: 'ask', id: 3 }, send('c')))
    assert.deepEqual(log, ['send p a', 'emit b', 'ask 3', 'send p c'])
  })

  it('hands a received frame to the core as a message', () => {
    const { driver, core } = rig()
    driver.receive(peer, codec.encode('hello'))
    assert.deepEqual(core.inputs, [{ type: 'receive', from: peer, message: 'hello' }])
  })

  it('holds later effects back until a record is on the disk, while inputs go on', async () => {
    const written = withResolvers<void>()
    const { driver, log, core } = rig(() => written.promise)
    driver.command(go(emit('before'), persist('k'), emit('after')))
    driver.command(go(emit('later')))
    assert.equal(core.inputs.length, 2)
    assert.deepEqual(log, ['emit before', 'write k'])
    written.resolve()
    await eventually('the rest', () => log.length === 4)
    assert.deepEqual(log.slice(2), ['emit after', 'emit later'])
  })

  it('writes all records that wait together, and the effects keep their order', async () => {
    const { driver, log } = rig()
    driver.command(go(emit('w'), persist('a'), persist('b'), emit('x'), persist('c'), emit('y')))
    await eventually('all effects', () => log.includes('emit y'))
    assert.deepEqual(log, ['emit w', 'write a+b+c', 'emit x', 'emit y'])
  })

  it('needs one write for what came while the disk was busy, and one only', async () => {
    const turns = [withResolvers<void>(), withResolvers<void>()]
    const { driver, log, counters } = rig(() => turns[counters.storeWrites]?.promise ?? Promise.resolve())
    for (let i = 0; i < 100; i += 1) driver.command(go(persist(`k${i}`), emit(String(i))))
    assert.deepEqual(log, ['write k0'])
    assert.equal(driver.waiting, 199)
    turns[0]?.resolve()
    await eventually('the group', () => log.length === 3)
    assert.equal(log[1], 'emit 0')
    assert.equal(log[2]?.split('+').length, 99)
    assert.equal(driver.waiting, 99)
    turns[1]?.resolve()
    await eventually('all effects', () => log.length === 102)
    assert.deepEqual(
      log.slice(3),
      Array.from({ length: 99 }, (_, i) => `emit ${i + 1}`),
    )
    assert.deepEqual([counters.storeWrites, driver.waiting], [2, 0])
  })

  it('writes the newest value of a key, and deletes where there is none', async () => {
    const written: (readonly [string, Uint8Array | undefined])[] = []
    const { driver, log } = rig(async (entries) => void written.push(...entries))
    const value = (byte: number): TestEffect => ({ type: 'persist', key: 'k', value: Uint8Array.of(byte) })
    const gone: TestEffect = { type: 'persist', key: 'gone', value: undefined }
    driver.command(go(value(1), emit('x'), persist('gone'), value(2), gone, emit('y')))
    await eventually('all effects', () => log.includes('emit y'))
    assert.deepEqual(written, [
      ['k', Uint8Array.of(2)],
      ['gone', undefined],
    ])
  })

  it('ends a group that grows large with a step, and no older value follows a newer one', async () => {
    const written: string[] = []
    const busy = withResolvers<void>()
    const { driver, log } = rig(async (entries) => {
      written.push([...entries].map(([key, value]) => `${key}=${value?.[0]}`).join('+'))
      if (written.length === 1) await busy.promise
    })
    const large = (key: string, byte: number): TestEffect => ({
      type: 'persist',
      key,
      value: new Uint8Array(3 << 20).fill(byte),
    })
    driver.command(go(large('x', 0)))
    driver.command(go(large('a', 1)))
    driver.command(go(large('b', 1), large('c', 1), emit('between'), large('d', 1)))
    driver.command(go(large('a', 2)))
    driver.command(go(large('b', 2), emit('end')))
    busy.resolve()
    await eventually('all effects', () => log.includes('emit end'))
    assert.deepEqual(written, ['x=0', 'a=1+b=1+c=1+d=1', 'a=2+b=2'])
  })

  it('lets nothing wait for a note, and writes the newest one of a key when the last is done', async () => {
    const written = withResolvers<void>()
    const { driver, log } = rig(() => written.promise)
    driver.command(go(note('n'), emit('at once'), note('n'), note('n'), note('m')))
    assert.deepEqual(log, ['write n', 'emit at once'])
    written.resolve()
    await eventually('the second write', () => log.length === 3)
    assert.deepEqual(log.at(-1), 'write n+m')
  })

  it('tries a failed write again, and lets nothing past it meanwhile', async () => {
    let attempts = 0
    const { driver, log, counters } = rig(async () => {
      attempts += 1
      if (attempts < 3) throw new P2pdError('ERR_DISK_FULL', 'full')
    })
    driver.command(go(persist('k'), emit('after')))
    await eventually('the third attempt', () => log.includes('emit after'))
    assert.deepEqual(log, ['write k', 'write failed', 'write k', 'write failed', 'write k', 'emit after'])
    assert.equal(counters.storeFailures, 2)
  })

  it('drops what is best effort, and nothing else, while too much waits for the disk', async () => {
    const written = withResolvers<void>()
    const { driver, log, counters } = rig(() => written.promise)
    driver.command(go(persist('k')))
    for (let i = 0; i < 5000; i += 1) driver.command(go(send(String(i))))
    driver.command(go(emit('last')))
    written.resolve()
    await eventually('the last effect', () => log.includes('emit last'))
    assert.equal(counters.dropped['store-behind'], 5000 - 4096)
    driver.stop()
  })

  it('never re-enters a step: what a listener commands comes after the effects before it', () => {
    const { driver, log } = rig()
    driver.command(go(emit('again'), emit('outer')))
    assert.deepEqual(log, ['emit again', 'emit outer', 'emit inner'])
  })

  it('stops at a broken assertion and says so once', () => {
    const { driver, core, failures } = rig()
    driver.command({ type: 'bad' })
    driver.command(go())
    assert.equal(failures.length, 1)
    assert.equal(core.inputs.length, 1)
  })

  it('wakes the core when its deadline is reached, not before', async () => {
    const { driver, core } = rig()
    const woken = withResolvers<number>()
    core.onWake = (now) => {
      core.deadline = undefined
      woken.resolve(now.monotonic)
    }
    core.deadline = performance.now() + 50
    const due = core.deadline
    driver.command(go())
    assert.ok((await woken.promise) >= due)
  })

  it('follows a deadline that moves closer, and forgets one that is taken back', async () => {
    const { driver, core } = rig()
    const woken = withResolvers<void>()
    core.onWake = () => {
      core.deadline = undefined
      woken.resolve()
    }
    core.deadline = performance.now() + 60_000
    driver.command(go())
    core.deadline = performance.now() + 20
    driver.command(go())
    await woken.promise
    core.deadline = performance.now() + 10
    driver.command(go())
    core.deadline = undefined
    driver.command(go())
    await new Promise((resolve) => setTimeout(resolve, 40))
    assert.equal(core.inputs.filter((input) => input.type === 'wake').length, 1)
  })

  it('takes a deadline beyond what a timer can hold', () => {
    const { driver, core } = rig()
    core.deadline = performance.now() + 2 ** 40
    driver.command(go())
    assert.equal(core.inputs.length, 1)
    driver.stop()
  })

  it('tells how late the timer was, and counts it', async () => {
    const { driver, core, counters } = rig()
    core.deadline = performance.now() + 10
    driver.command(go())
    block(80)
    const wake = await eventually('the wake', () => core.inputs.find((input) => input.type === 'wake'))
    assert.ok(wake.type === 'wake' && wake.lagMs >= 60 && wake.lagMs < 500)
    assert.ok(counters.loopLagMaxMs >= 60)
  })
})

function block(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

describe('the event loop after a stall', () => {
  afterEach(async () => {
    killChildPeers()
    await stopRawPeers()
  })

  it('delivers an answer that lies in the socket before the wake', async function () {
    this.timeout(20_000)
    const child = await forkEchoPeer()
    let onFrame = (): void => {}
    const me = await startRawPeer({ receive: () => onFrame() })
    const addresses = [child.address]
    await me.dialer.dial({ type: 'dial', id: 1, peer: child.id, addresses, mode: 'connect', timeoutMs: 5000 })
    const answered = withResolvers<void>()
    onFrame = answered.resolve
    me.links.send(child.id, testProtocol, new Uint8Array(100))
    await answered.promise
    for (let round = 0; round < 3; round += 1) {
      const { core, driver } = rig()
      onFrame = () => driver.receive(child.id, codec.encode('answer'))
      core.deadline = performance.now() + 50
      driver.command(go())
      // What is sent leaves at the end of this turn.
      me.links.send(child.id, testProtocol, new Uint8Array(100))
      // From here the loop goes to its timers first, and only then to the sockets.
      setImmediate(() => block(300))
      await eventually('the wake', () => core.inputs.some((input) => input.type === 'wake'))
      const kinds = core.inputs.map((input) => input.type)
      assert.deepEqual(kinds, ['go', 'receive', 'wake'], `with ${turnsBeforeWake} turns`)
    }
  })
})

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { platform } from 'node:os'
import { join } from 'node:path'
import { bootStepMs, type Clocks, SuspendWatch, systemClocks } from '../../../plugins/mutex/suspend-watch.ts'
import { eventually } from '../../support/eventually.ts'
import { removeTempDirs, tempDir } from '../../support/temp-dir.ts'

/** Clocks that tests set; boot time is cut off to hundredths of a second, as Linux tells it. */
class FakeClocks implements Clocks {
  now = 1_000_000.4
  asleep = 5000
  wallAhead = 1e12
  hasBoot = true
  /** How long the process is preempted between the first clock and the second, the next times it reads. */
  readonly preempted: number[] = []
  rests = 0

  monotonic(): number {
    return this.now
  }

  wall(): number {
    return Math.floor(this.now + this.wallAhead)
  }

  boot(): number | undefined {
    this.now += this.preempted.shift() ?? 0
    return this.hasBoot ? Math.floor((this.now + this.asleep) / bootStepMs) * bootStepMs : undefined
  }

  rest(): void {
    this.rests += 1
  }
}

describe('the watch for a machine that sleeps', () => {
  const clocks = new FakeClocks()
  const told: number[] = []
  let watch: SuspendWatch

  beforeEach(() => {
    Object.assign(clocks, new FakeClocks())
    told.length = 0
    watch = new SuspendWatch((ms) => told.push(ms), clocks)
    watch.begin()
  })

  afterEach(async () => {
    watch.stop()
    await removeTempDirs()
  })

  const pass = (ms: number) => {
    clocks.now += ms
  }
  const sleep = (ms: number) => {
    clocks.asleep += ms
    clocks.wallAhead += ms
  }

  it('sees nothing where none slept, wherever in its step boot time is read', () => {
    for (let i = 0; i < 2000; i += 1) {
      pass(i * 1.37)
      assert.equal(watch.look(), 0)
    }
  })

  it('sees every sleep of more than 30 ms, once', () => {
    for (const ms of [31, 32.5, 40, 999, 60_000]) {
      for (let phase = 0; phase < bootStepMs; phase += 0.7) {
        pass(5 + phase)
        watch.begin()
        pass(3.1)
        sleep(ms)
        const slept = watch.look()
        assert.ok(slept > 0 && slept <= ms + bootStepMs, `${ms} at ${phase}: ${slept}`)
        assert.equal(watch.look(), 0)
      }
    }
  })

  it('adds up naps that are short each', () => {
    let naps = 0
    for (; watch.look() === 0; naps += 1) {
      pass(100)
      sleep(5)
    }
    assert.ok(naps >= 4 && naps <= 6, String(naps))
  })

  it('does not take a process that waited for the processor for a machine that slept', () => {
    clocks.preempted.push(80, 80, 80)
    pass(7)
    assert.equal(watch.look(), 0)
    pass(1)
    assert.equal(watch.look(), 0)
    clocks.preempted.push(90, 90, 90)
    watch.begin()
    assert.equal(watch.look(), 0)
  })

  it('takes a step of the wall clock by more than a second for a pause of the machine, and no other', () => {
    clocks.wallAhead += 999
    assert.equal(watch.look(), 0)
    clocks.wallAhead -= 3_600_000
    assert.equal(watch.look(), 0)
    clocks.wallAhead += 1002
    assert.equal(Math.round(watch.look()), 1002)
    assert.equal(watch.look(), 0)
  })

  it('lets the wall clock drift from the monotonic one as slowly as it does over hours', () => {
    clocks.hasBoot = false
    watch.begin()
    for (let hours = 0; hours < 20; hours += 1) {
      pass(3_600_000)
      clocks.wallAhead += 180
      assert.equal(watch.look(), 0)
    }
  })

  it('does with the wall clock where nothing tells boot time', () => {
    clocks.hasBoot = false
    watch.begin()
    sleep(900)
    assert.equal(watch.look(), 0)
    sleep(5000)
    assert.ok(watch.look() > 1000)
  })

  it('does not care what happened before something was at stake', () => {
    watch.end()
    sleep(10_000)
    assert.equal(watch.look(), 0)
    watch.begin()
    assert.equal(watch.look(), 0)
  })

  it('tells who does not look, by its own timer, and lets the clocks go when nothing is at stake', async () => {
    sleep(500)
    await eventually('told', () => told.length === 1)
    assert.ok(Math.abs((told[0] ?? 0) - 500) <= bootStepMs)
    watch.end()
    await eventually('rest', () => clocks.rests > 0)
    assert.equal(told.length, 1)
  })

  it('reads the boot time of this machine, which runs with its monotonic clock', function () {
    const own = systemClocks()
    if (platform() !== 'linux') this.skip()
    const ahead = () => (own.boot() ?? Number.NaN) - own.monotonic()
    const first = ahead()
    own.rest()
    assert.ok(Math.abs(ahead() - first) <= 2 * bootStepMs)
    own.rest()
  })

  it('is content with a file that is none of the kind, and with none', async () => {
    const directory = await tempDir()
    for (const [name, text] of [
      ['letters', 'much\n'],
      ['whole', '12 34\n'],
      ['fine', '12.34 5.00\n'],
    ] as const) {
      await writeFile(join(directory, name), text)
      const own = systemClocks(join(directory, name))
      assert.equal(own.boot(), name === 'fine' ? 12_340 : undefined)
      own.rest()
    }
    assert.equal(systemClocks(join(directory, 'absent')).boot(), undefined)
  })
})

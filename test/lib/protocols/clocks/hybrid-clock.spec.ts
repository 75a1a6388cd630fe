import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodeCeiling, encodeCeiling } from '../../../../lib/protocols/clocks/codec.ts'
import {
  compareHybrid,
  type HybridStamp,
  maxHybridCounter,
  maxHybridMs,
} from '../../../../lib/protocols/clocks/hybrid.ts'
import { HybridClock } from '../../../../lib/protocols/clocks/hybrid-clock.ts'
import { LatestTold } from '../../../../lib/protocols/clocks/latest-told.ts'
import type { Instant, PeerId } from '../../../../lib/protocols/core.ts'

const id = (name: string) => name as PeerId
const start = 1_800_000_000_000
const at = (wall: number, monotonic = wall - start): Instant => ({ monotonic, wall })

function stamped(clock: HybridClock, now: Instant): HybridStamp {
  return clock.stamp(now)?.stamp ?? assert.fail('it must not stamp')
}

describe('a hybrid clock', () => {
  it('follows the wall clock, and counts where that stands or goes back', () => {
    const clock = new HybridClock()
    assert.deepEqual(stamped(clock, at(start)), { ms: start, counter: 0 })
    assert.deepEqual(stamped(clock, at(start)), { ms: start, counter: 1 })
    assert.deepEqual(stamped(clock, at(start - 9000)), { ms: start, counter: 2 })
    assert.deepEqual(stamped(clock, at(start + 1.9)), { ms: start + 1, counter: 0 })
  })

  it('goes on in the next millisecond when the counter is used up', () => {
    const clock = new HybridClock()
    clock.merge({ ms: start, counter: maxHybridCounter }, id('a'), at(start))
    assert.deepEqual(stamped(clock, at(start)), { ms: start + 1, counter: 0 })
  })

  it('stamps nothing beyond its 48 bits', () => {
    const clock = new HybridClock()
    clock.merge({ ms: maxHybridMs, counter: maxHybridCounter }, id('a'), at(maxHybridMs, 0))
    assert.equal(clock.stamp(at(maxHybridMs, 0)), undefined)
  })

  it('reads for people without an event', () => {
    const clock = new HybridClock()
    assert.deepEqual(clock.read(at(start)), { ms: start, counter: 0 })
    assert.deepEqual(stamped(clock, at(start)), { ms: start, counter: 0 })
    assert.deepEqual(clock.read(at(start - 5)), { ms: start, counter: 0 })
  })
})

describe('the ceiling of a hybrid clock', () => {
  it('comes with each stamp until it is said to be on disk, then twice a second at most', () => {
    const clock = new HybridClock()
    const first = clock.stamp(at(start))?.ceiling ?? assert.fail('no ceiling')
    assert.equal(decodeCeiling(first), start + 500)
    assert.deepEqual(clock.stamp(at(start + 10))?.ceiling, first)
    clock.persisted(first)
    const written: number[] = []
    for (let ms = 11; ms <= 2000; ms++) {
      const ceiling = clock.stamp(at(start + ms))?.ceiling
      if (ceiling === undefined) continue
      written.push(ms)
      clock.persisted(ceiling)
    }
    assert.deepEqual(written, [500, 1000, 1500, 2000])
  })

  it('is not lowered by the word that an earlier one is on disk', () => {
    const clock = new HybridClock()
    const earlier = clock.stamp(at(start))?.ceiling ?? assert.fail()
    clock.persisted(clock.stamp(at(start + 600))?.ceiling ?? assert.fail())
    clock.persisted(earlier)
    assert.equal(clock.stamp(at(start + 601))?.ceiling, undefined)
  })

  it('holds for all that share the clock: one may still be writing when the next one stamps', () => {
    const clock = new HybridClock()
    clock.persisted(clock.stamp(at(start))?.ceiling ?? assert.fail())
    const writing = clock.stamp(at(start + 600))?.ceiling
    assert.notEqual(writing, undefined)
    assert.deepEqual(clock.stamp(at(start + 600))?.ceiling, writing)
  })

  it('is where the next life starts, at once after an ordinary crash', () => {
    const { ceiling } = new HybridClock().stamp(at(start)) ?? assert.fail()
    const next = new HybridClock(ceiling)
    assert.deepEqual(stamped(next, at(start + 3)), { ms: start + 500, counter: 0 })
    assert.deepEqual(stamped(next, at(start + 501)), { ms: start + 501, counter: 0 })
  })

  it('keeps a peer whose wall clock was set back from stamping until the time can have come', () => {
    const next = () => new HybridClock(encodeCeiling(start))
    const alone = next()
    assert.equal(alone.stamp(at(start - 501)), undefined)
    assert.notEqual(alone.stamp(at(start - 500)), undefined)
    assert.notEqual(alone.stamp(at(start - 9000)), undefined, 'and then for good')
    const among = next()
    assert.equal(among.stamp(at(start - 9000, 0)), undefined)
    among.told(id('a'), start - 500, at(start - 9000, 0))
    assert.deepEqual(stamped(among, at(start - 9000, 0)), { ms: start, counter: 0 }, 'others know better')
  })

  it('is told to nobody as long as it only is a ceiling', () => {
    const clock = new HybridClock(encodeCeiling(start))
    assert.equal(clock.tellable(at(start)), undefined)
    clock.merge({ ms: start - 1, counter: 0 }, id('a'), at(start))
    assert.equal(clock.tellable(at(start)), undefined)
  })

  it('must be readable', () => {
    for (const bad of [Uint8Array.of(0xff), encodeCeiling(2 ** 48 + 1)]) {
      assert.throws(() => new HybridClock(bad), { code: 'ERR_STORE_CORRUPT' })
    }
  })
})

describe('merging hybrid stamps', () => {
  const a = id('a')
  const ahead = (ms: number, counter = 0) => ({ ms: start + ms, counter })

  it('takes what can be the time, holds what may soon be, and ignores the rest', () => {
    const clock = new HybridClock()
    const now = at(start)
    assert.equal(clock.merge(ahead(500, 3), a, now), 'merged')
    assert.deepEqual(stamped(clock, now), ahead(500, 4))
    assert.equal(clock.merge(ahead(501, 7), a, now), 'held')
    assert.equal(clock.merge(ahead(1000), a, now), 'held')
    assert.equal(clock.merge(ahead(1001), a, now), 'ignored')
    assert.deepEqual(stamped(clock, now), ahead(500, 5))
    assert.deepEqual(clock.figures, { merged: 1, held: 2, ignored: 1 })
    assert.deepEqual(stamped(clock, at(start + 1)), ahead(501, 8))
    assert.deepEqual(stamped(clock, at(start + 499)), ahead(501, 9))
    assert.deepEqual(stamped(clock, at(start + 500)), ahead(1000, 1))
  })

  it('holds the highest of a millisecond', () => {
    const clock = new HybridClock()
    for (const counter of [3, 9, 5]) clock.merge(ahead(600, counter), a, at(start))
    assert.deepEqual(stamped(clock, at(start + 100)), ahead(600, 10))
  })

  it('measures by what the other members believe, where they have said so', () => {
    const clock = new HybridClock()
    clock.told(id('b'), start + 60_000, at(start))
    assert.equal(clock.merge(ahead(60_500), a, at(start)), 'merged')
    const behind = new HybridClock()
    behind.told(id('b'), start - 60_000, at(start))
    assert.equal(behind.merge(ahead(0), a, at(start)), 'ignored', 'the own clock is the odd one')
    behind.forget(id('b'))
    assert.equal(behind.merge(ahead(0), a, at(start)), 'merged')
  })

  it('refuses what is no stamp', () => {
    const clock = new HybridClock()
    for (const stamp of [ahead(0.5), ahead(Number.NaN), ahead(0, 65_536), { ms: -1, counter: 0 }]) {
      assert.equal(clock.merge(stamp, a, at(start)), 'ignored')
    }
    assert.deepEqual(stamped(clock, at(start)), ahead(0))
  })

  it('ignores the stamps of who is far ahead three times in a minute, for a minute', () => {
    const clock = new HybridClock()
    const far = (now: number) => clock.merge(ahead(now + 5000), a, at(start + now))
    const good = (now: number) => clock.merge(ahead(now + 100), a, at(start + now))
    far(0)
    far(30_000)
    far(60_000)
    assert.equal(good(60_000), 'merged', 'the first is too old')
    far(61_000)
    far(62_000)
    assert.equal(good(62_001), 'ignored')
    assert.equal(clock.merge(ahead(62_101), id('b'), at(start + 62_001)), 'merged', 'others are heard')
    assert.equal(good(121_999), 'ignored')
    assert.equal(good(122_000), 'merged')
  })

  it('does not call those liars who pass on what one honest peer merged at its limit', () => {
    const clock = new HybridClock()
    for (let i = 0; i < 10; i++) clock.merge(ahead(900 + i), a, at(start))
    assert.equal(clock.figures.ignored, 0)
    assert.equal(clock.merge(ahead(500), a, at(start)), 'merged')
  })

  it('holds a bounded number of stamps, though the limit falls below them', () => {
    const clock = new HybridClock()
    for (let fall = 0; fall < 4; fall++) {
      const now = at(start - fall * 600)
      for (let ms = 501; ms <= 1000; ms++) clock.merge({ ms: now.wall + ms, counter: 0 }, a, now)
    }
    const { held, ignored } = clock.figures
    assert.equal(held, HybridClock.maxHeld)
    assert.equal(held + ignored, 2000)
    assert.deepEqual(stamped(clock, at(start + 500)), ahead(1000, 1), 'what is held is merged in time')
  })
})

type Command =
  | { readonly type: 'pass'; readonly ms: number; readonly stepMs: number }
  | { readonly type: 'stamp'; readonly fate: 'told' | 'killed before the write' | 'killed after it' }
  | { readonly type: 'merge'; readonly beyondLimitMs: number; readonly counter: number }
  | { readonly type: 'tell'; readonly peer: number; readonly aheadMs: number }
  | { readonly type: 'confirm' }
  | { readonly type: 'restart' }

const commands: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    type: fc.constant('pass' as const),
    ms: fc.oneof(fc.nat(20), fc.nat(2000)),
    // Mostly none: the wall clock is set now and then.
    stepMs: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: -5000, max: 5000 })),
  }),
  fc.record({
    type: fc.constant('stamp' as const),
    fate: fc.constantFrom('told', 'told', 'told', 'killed before the write', 'killed after it'),
  }),
  fc.record({
    type: fc.constant('merge' as const),
    beyondLimitMs: fc.integer({ min: -1500, max: 700 }),
    counter: fc.oneof(fc.nat(2), fc.constantFrom(maxHybridCounter - 1, maxHybridCounter)),
  }),
  fc.record({
    type: fc.constant('tell' as const),
    peer: fc.nat(4),
    aheadMs: fc.integer({ min: -800, max: 800 }),
  }),
  fc.constant({ type: 'confirm' as const }),
  fc.constant({ type: 'restart' as const }),
)

/** The rules on plain integers: ms × 65536 + counter, a list for what is held, no laziness. */
class Model {
  wall = start
  monotonic = 0
  /** What a restart reads. */
  disk = 0n
  clock = new HybridClock()
  told = new LatestTold()
  last = 0n
  held: bigint[] = []
  waitsFor = 0n
  /** The highest that anybody may have seen of this peer, in whatever life. */
  seen = -1n
  pending: Uint8Array | undefined
  #strangers = 0

  get now(): Instant {
    return { monotonic: this.monotonic, wall: this.wall }
  }

  get latest(): number {
    return this.told.latestMs(this.now) ?? this.wall
  }

  run(command: Command): void {
    switch (command.type) {
      case 'pass':
        this.monotonic += command.ms
        this.wall += command.ms + command.stepMs
        break
      case 'stamp':
        this.#stamp(command.fate)
        break
      case 'merge':
        this.#merge({ ms: Math.floor(this.latest) + 500 + command.beyondLimitMs, counter: command.counter })
        break
      case 'tell': {
        const latestMs = this.wall + command.aheadMs
        this.clock.told(id(`p${command.peer}`), latestMs, this.now)
        this.told.tell(id(`p${command.peer}`), latestMs, this.now)
        break
      }
      case 'confirm':
        if (this.pending !== undefined) this.#write(this.pending)
        break
      case 'restart':
        this.#restart()
        break
    }
    this.#release()
    this.#heartbeat()
  }

  #stamp(fate: 'told' | 'killed before the write' | 'killed after it'): void {
    this.#release()
    const made = this.clock.stamp(this.now)
    const canBe = BigInt(Math.max(this.wall, this.latest) + 500)
    if (canBe >= this.waitsFor) this.waitsFor = 0n
    if (this.waitsFor > 0n) {
      assert.equal(made, undefined)
      return
    }
    assert.ok(made !== undefined)
    const physical = BigInt(this.wall) << 16n
    this.last = physical > this.last ? physical : this.last + 1n
    assert.equal(packed(made.stamp), this.last)
    assert.ok(packed(made.stamp) > this.seen, 'it went back')
    assert.ok(made.stamp.ms >= this.wall, 'below the wall clock')
    if (made.ceiling === undefined) assert.ok(BigInt(made.stamp.ms) < this.disk, 'not covered by the disk')
    else assert.ok(decodeCeiling(made.ceiling) <= made.stamp.ms + 500)
    this.pending = made.ceiling ?? this.pending
    if (fate === 'killed before the write') return this.#restart()
    // The barrier: the write is done before the stamp leaves; who wrote may learn of it later.
    if (made.ceiling !== undefined) this.#onDisk(made.ceiling)
    if (fate === 'killed after it') return this.#restart()
    this.seen = packed(made.stamp)
  }

  #merge(stamp: HybridStamp): void {
    this.#release()
    const limit = BigInt(Math.floor(this.latest)) + 500n
    const outcome = this.clock.merge(stamp, id(`stranger${this.#strangers++}`), this.now)
    const value = packed(stamp)
    const ms = BigInt(stamp.ms)
    if (value <= this.last || ms <= limit) {
      assert.equal(outcome, 'merged')
      if (value > this.last) this.last = value
    } else if (ms <= limit + 500n) {
      assert.equal(outcome, 'held')
      this.held.push(value)
    } else {
      assert.equal(outcome, 'ignored')
    }
  }

  #release(): void {
    const limit = BigInt(Math.floor(this.latest)) + 500n
    for (const value of this.held.filter((held) => held >> 16n <= limit)) {
      if (value > this.last) this.last = value
    }
    this.held = this.held.filter((held) => held >> 16n > limit)
  }

  /** What a heartbeat tells others have seen, too. */
  #heartbeat(): void {
    const told = this.clock.tellable(this.now)
    if (told === undefined) return
    assert.ok(packed(told) <= this.last)
    if (packed(told) > this.seen) this.seen = packed(told)
  }

  #write(ceiling: Uint8Array): void {
    this.#onDisk(ceiling)
    this.clock.persisted(ceiling)
  }

  #onDisk(ceiling: Uint8Array): void {
    this.disk = BigInt(decodeCeiling(ceiling))
  }

  #restart(): void {
    this.clock = new HybridClock(this.disk === 0n ? undefined : encodeCeiling(Number(this.disk)))
    this.told = new LatestTold()
    this.held = []
    this.pending = undefined
    this.last = this.disk === 0n ? 0n : (this.disk << 16n) - 1n
    this.waitsFor = this.disk
  }
}

function packed(stamp: HybridStamp): bigint {
  return BigInt(stamp.ms) * 65536n + BigInt(stamp.counter)
}

describe('a hybrid clock through crashes, jumps of the wall clock and stamps from everywhere', () => {
  it('does what the rules on plain integers do, and never goes back on what was seen', () => {
    fc.assert(
      fc.property(fc.array(commands, { maxLength: 80 }), (sequence) => {
        const model = new Model()
        for (const command of sequence) model.run(command)
      }),
      { numRuns: 1500 },
    )
  })

  it('puts every stamp above all that were merged before it', () => {
    const clock = new HybridClock()
    let highest: HybridStamp = { ms: 0, counter: 0 }
    for (let i = 0; i < 1000; i++) {
      const now = at(start + i)
      const remote = { ms: start + i + ((i * 37) % 500), counter: i % 3 }
      assert.equal(clock.merge(remote, id('a'), now), 'merged')
      if (compareHybrid(remote, highest) > 0) highest = remote
      const own = stamped(clock, now)
      assert.ok(compareHybrid(own, highest) > 0)
      highest = own
    }
  })
})

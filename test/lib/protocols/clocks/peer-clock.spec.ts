import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  decodeClockRider,
  encodeClockRider,
  maxClockRiderBytes,
} from '../../../../lib/protocols/clocks/codec.ts'
import { maxHybridMs } from '../../../../lib/protocols/clocks/hybrid.ts'
import { maxLamport, maxLamportLead } from '../../../../lib/protocols/clocks/lamport.ts'
import { PeerClock } from '../../../../lib/protocols/clocks/peer-clock.ts'
import type { Instant, PeerId } from '../../../../lib/protocols/core.ts'
import { WireError } from '../../../../lib/wire/errors.ts'

const a = 'a' as PeerId
const start = 1_800_000_000_000
const at = (ms: number): Instant => ({ monotonic: ms, wall: start + ms })

/** A peer that has stamped once and been told that its ceiling is on disk. */
function started(now: Instant) {
  const clock = new PeerClock()
  clock.hybrid.persisted(clock.stamp(now)?.ceiling ?? assert.fail())
  return clock
}

describe("a peer's clocks", () => {
  it('move on with what heartbeats carry, and do not tick for them', () => {
    const sender = started(at(200))
    for (let i = 0; i < 5; i++) sender.lamport.tick()
    const receiver = new PeerClock()
    for (let i = 0; i < 3; i++) receiver.heard(a, sender.rider(at(201)), at(0))
    assert.equal(receiver.lamport.value, 5)
    assert.deepEqual(receiver.stamp(at(0))?.stamp, { ms: start + 200, counter: 1 })
    assert.equal(sender.lamport.value, 5)
    assert.deepEqual(sender.stamp(at(200))?.stamp, { ms: start + 200, counter: 1 })
    assert.deepEqual(receiver.figures, { merged: 3, held: 0, ignored: 0, lamportRefused: 0 })
  })

  it('carry the bare wall clock, rounded up', () => {
    const latest = (clock: PeerClock, wall: number) =>
      decodeClockRider(clock.rider({ monotonic: 0, wall })).latestMs
    assert.equal(latest(started(at(200)), start + 0.25), start + 1)
    assert.equal(latest(new PeerClock(), -5), 0)
    assert.equal(latest(new PeerClock(), 2 ** 50), maxHybridMs)
  })

  it('do not tell a stamp that a crash could make them fall below', () => {
    const clock = new PeerClock()
    const { stamp, ceiling } = clock.stamp(at(0)) ?? assert.fail()
    const told = () => decodeClockRider(clock.rider(at(0))).hybrid
    assert.equal(told(), undefined)
    clock.hybrid.persisted(ceiling ?? assert.fail())
    assert.deepEqual(told(), stamp)
    clock.observe(a, 0, { ms: start + 499, counter: 9 }, at(0))
    assert.deepEqual(told(), { ms: start + 499, counter: 9 })
    clock.observe(a, 0, { ms: start + 500, counter: 0 }, at(0))
    assert.deepEqual(told(), { ms: start + 499, counter: 9 }, 'merged, and beyond the ceiling')
  })

  it('take what a message carries, with a stamp or without', () => {
    const clock = new PeerClock()
    clock.observe(a, 7, undefined, at(0))
    clock.observe(a, 3, { ms: start + 100, counter: 2 }, at(0))
    assert.equal(clock.lamport.value, 7)
    assert.deepEqual(clock.hybrid.read(at(0)), { ms: start + 100, counter: 2 })
  })

  it("bound a member's stamp by the time that it tells itself, while nobody else tells any", () => {
    const ahead = started(at(60_000))
    const clock = new PeerClock()
    clock.heard(a, ahead.rider(at(60_000)), at(0))
    assert.deepEqual(clock.hybrid.read(at(0)), { ms: start + 60_000, counter: 0 })
    clock.forget(a)
    clock.observe(a, 0, { ms: start + 70_000, counter: 0 }, at(0))
    assert.equal(clock.figures.ignored, 1)
  })

  it('count a Lamport number that is too far ahead, and blame nobody', () => {
    const clock = new PeerClock()
    const rider = { hybrid: undefined, latestMs: start }
    clock.heard(a, encodeClockRider({ ...rider, lamport: maxLamportLead + 1 }), at(0))
    assert.equal(clock.lamport.value, 0)
    assert.equal(clock.figures.lamportRefused, 1)
  })

  it('start where an earlier life has persisted', () => {
    const { ceiling } = new PeerClock().stamp(at(0)) ?? assert.fail()
    assert.deepEqual(new PeerClock(ceiling).stamp(at(1))?.stamp, { ms: start + 500, counter: 0 })
  })
})

describe('the clock rider', () => {
  const plain = { noNullPrototype: true } as const
  const riders = fc.record(
    {
      lamport: fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, maxLamport)),
      hybrid: fc.option(
        fc.record({ ms: fc.integer({ min: 1, max: maxHybridMs }), counter: fc.nat(65_535) }, plain),
        { nil: undefined },
      ),
      latestMs: fc.oneof(fc.integer({ min: 0, max: maxHybridMs }), fc.constantFrom(0, maxHybridMs)),
    },
    plain,
  )

  it('comes back as it was, in 26 bytes at most', () => {
    fc.assert(
      fc.property(riders, (rider) => {
        const bytes = encodeClockRider(rider)
        assert.ok(bytes.length <= 26)
        assert.deepEqual(decodeClockRider(bytes), rider)
      }),
    )
  })

  it('is refused when no clock can have said it, and changes nothing', () => {
    const clock = new PeerClock()
    const rider = { lamport: 0, hybrid: undefined, latestMs: 0 }
    const refused = [
      encodeClockRider({ ...rider, lamport: 2 ** 53 }),
      encodeClockRider({ ...rider, latestMs: maxHybridMs + 1 }),
      new Uint8Array(maxClockRiderBytes + 1),
      Uint8Array.of(0xff),
    ]
    for (const bytes of refused) assert.throws(() => clock.heard(a, bytes, at(0)), WireError)
    assert.equal(clock.lamport.value, 0)
    assert.deepEqual(clock.figures, { merged: 0, held: 0, ignored: 0, lamportRefused: 0 })
  })

  it('is refused with a WireError and nothing else, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          new PeerClock().heard(a, bytes, at(0))
        } catch (error) {
          assert.ok(error instanceof WireError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('leaves room for what a newer version adds', () => {
    const bytes = encodeClockRider({ lamport: 3, hybrid: undefined, latestMs: start })
    const newer = new Uint8Array([...bytes, 0xfa, 0x01, 0x02, 1, 2])
    assert.equal(decodeClockRider(newer).lamport, 3)
  })
})

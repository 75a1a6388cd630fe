import assert from 'node:assert/strict'
import { Disk } from '../../../testnet/sim/disk.ts'
import { Random } from '../../../testnet/sim/random.ts'
import { World } from '../../../testnet/sim/world.ts'

describe('simulated disk', () => {
  const make = (seed = 1) => {
    const world = new World(new Random(seed))
    const disk = new Disk(world, new Random(seed, 'disk'), { writeMinMs: 10, writeMaxMs: 20 })
    return { world, disk }
  }

  it('shows a value once it is durable', () => {
    const { world, disk } = make()
    let done = false
    disk.write('k', Uint8Array.of(1), () => {
      done = true
    })
    world.runUntil(9)
    assert.equal(disk.read('k'), undefined)
    world.runUntil(20)
    assert.deepEqual(disk.read('k'), Uint8Array.of(1))
    assert.ok(done)
  })

  it('keeps the old value or the new over a crash, and reports neither as done', () => {
    const survivors = new Set<number | undefined>()
    for (let seed = 0; seed < 40; seed++) {
      const { world, disk } = make(seed)
      disk.write('k', Uint8Array.of(1), () => {})
      world.runUntil(100)
      disk.write('k', Uint8Array.of(2), () => assert.fail('done after a crash'))
      world.runUntil(101)
      disk.crash()
      world.runUntil(1000)
      survivors.add(disk.read('k')?.[0])
    }
    assert.deepEqual([...survivors].sort(), [1, 2])
  })

  it('goes back to a backup, and to nothing', () => {
    const { world, disk } = make()
    disk.write('k', Uint8Array.of(1), () => {})
    world.runUntil(100)
    const backup = disk.image()
    disk.write('k', Uint8Array.of(2), () => {})
    world.runUntil(200)
    disk.restore(backup)
    assert.deepEqual(disk.read('k'), Uint8Array.of(1))
    disk.restore(new Map())
    assert.equal(disk.read('k'), undefined)
  })

  it('keeps a copy of what was written, not the caller’s bytes', () => {
    const { world, disk } = make()
    const bytes = Uint8Array.of(1)
    disk.write('k', bytes, () => {})
    bytes[0] = 7
    world.runUntil(100)
    assert.deepEqual(disk.read('k'), Uint8Array.of(1))
  })
})

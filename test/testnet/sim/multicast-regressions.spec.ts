import assert from 'node:assert/strict'
import { multicastDefaults } from '../../../lib/protocols/multicast/config.ts'
import type { GroupHost } from '../../../testnet/sim/multicast/group-host.ts'
import { ScriptedGroups } from './scripted-groups.ts'

const brisk = { ...multicastDefaults, antiEntropyMinMs: 1000, antiEntropyMaxMs: 2000 }
/** A log that holds next to nothing. */
const short = { ...brisk, retentionMs: 500, truncateAfterMs: 2000, pinMs: 5000 }

/** Stories that once ended badly, found by seeds; told here without chance. */
describe('multicast, in stories that once ended badly', () => {
  const formed = (script: ScriptedGroups, count: number) => {
    script.form(count)
    return script.hosts as readonly GroupHost[] & [GroupHost, GroupHost, GroupHost, GroupHost]
  }

  it('lets a joiner in where honest messages name those of an equivocator', () => {
    const script = new ScriptedGroups()
    script.form(3, ['equivocates'])
    const [first, , , liar] = script.hosts as [GroupHost, GroupHost, GroupHost, GroupHost]
    const lies = script.liar(liar)
    for (let i = 0; i < 4; i++) {
      lies.lie()
      script.run(12)
      script.publish(first)
      script.run(500)
    }
    const joiner = script.join()
    script.run(5000)
    assert.ok(script.entered(joiner))
    assert.equal(script.has(joiner, first), 4)
    assert.deepEqual(script.judge(), [])
  })

  it('says that a joiner is ready before it delivers what came meanwhile', () => {
    const script = new ScriptedGroups()
    const [first] = formed(script, 3)
    script.publish(first, 20)
    script.run(500)
    const joiner = script.join()
    for (let i = 0; i < 40; i++) {
      script.publish(first)
      script.run(10)
    }
    script.run(3000)
    assert.equal(script.has(joiner, first), 60)
    assert.deepEqual(script.judge(), [])
  })

  it('asks on when a giver never answers', () => {
    const script = new ScriptedGroups()
    const [first, ...others] = formed(script, 4)
    script.publish(first, 5)
    script.run(500)
    const joiner = script.join()
    script.runUntilSaid(/^m4 to .*baseline-request/)
    // What it asks is heard, and no answer comes.
    script.cut([first, ...others], [joiner])
    script.run(3000)
    script.mend([first, ...others], [joiner])
    script.run(15_000)
    assert.ok(script.entered(joiner))
    assert.equal(script.has(joiner, first), 5)
    assert.deepEqual(script.judge(), [])
  })

  it('has on its disk all that its own messages name, also when it copied it', () => {
    for (let delayMs = 20; delayMs <= 200; delayMs += 20) {
      const script = new ScriptedGroups({ config: short })
      const [first] = formed(script, 2)
      script.publish(first, 3)
      // Part of that is below everybody's log, the rest still comes while the joiner asks.
      script.run(1700)
      const joiner = script.join()
      script.run(delayMs)
      script.publish(first, 4)
      script.run(1000)
      const had = script.has(joiner, first)
      script.publish(joiner)
      script.run(200)
      script.kill(joiner)
      script.run(200)
      script.start(joiner)
      script.run(100)
      assert.ok(script.has(joiner, first) >= had, `${script.has(joiner, first)} after ${had}`)
      script.run(8000)
      assert.deepEqual(script.judge(), [])
    }
  })

  it('asks for a header again when the answer is lost', () => {
    const script = new ScriptedGroups()
    const hosts = formed(script, 4)
    const [first, second, third, fourth] = hosts
    const others = [first, third, fourth]
    script.publish(first)
    script.run(200)
    // What the second says names a message that has a successor everywhere else.
    script.cut([second], others)
    script.cut(others, [second])
    script.publish(second, 3)
    script.publish(first, 3)
    script.run(200)
    // It returns with the successor alone.
    script.kill(fourth)
    script.run(200)
    script.start(fourth)
    script.mend([second], others)
    script.mend(others, [second])
    script.runUntilSaid(/^m3 to .*inquiry/)
    script.reset(fourth)
    script.run(12_000)
    assert.equal(script.has(fourth, second), 3)
    assert.deepEqual(script.judge(), [])
  })

  it('tells who was cut off for longer than the logs last, and goes on', () => {
    const script = new ScriptedGroups({ config: short })
    const [first, second, third] = formed(script, 3)
    script.publish(third, 2)
    script.run(300)
    script.cut([third], [first, second])
    script.cut([first, second], [third])
    for (let i = 0; i < 5; i++) {
      for (const host of [first, second, third]) script.publish(host, 2)
      script.run(400)
    }
    script.run(2000)
    script.mend([third], [first, second])
    script.mend([first, second], [third])
    script.run(200)
    script.publish(third)
    script.run(30_000)
    assert.ok(script.truncated(third) > 0)
    assert.ok(script.truncated(first) + script.truncated(second) > 0)
    const before = script.has(first, second)
    script.publish(second)
    script.run(500)
    assert.equal(script.has(first, second), before + 1)
    assert.equal(script.has(third, second), before + 1)
    assert.deepEqual(script.judge(), [])
  })

  it('delivers no wrong Lamport time, also where nobody can check it any more', () => {
    const script = new ScriptedGroups({ config: short })
    script.form(3, ['wrong-lamport'])
    const [first, second, , liar] = script.hosts as [GroupHost, GroupHost, GroupHost, GroupHost]
    const lies = script.liar(liar)
    for (let i = 0; i < 10; i++) {
      script.publish(i % 2 === 0 ? first : second)
      script.run(100)
      lies.lie()
      script.run(900)
    }
    script.run(20_000)
    assert.equal(script.has(second, first), 5)
    assert.deepEqual(script.judge(), [])
  })

  it('pulls what a spammer names within bounds, and delivers what others say', () => {
    const script = new ScriptedGroups()
    script.form(6, ['spams-dependencies'])
    const liar = script.hosts[6] as GroupHost
    const [first, second] = script.hosts as [GroupHost, GroupHost]
    const lies = script.liar(liar)
    for (let i = 0; i < 12; i++) {
      lies.lie()
      script.publish(first)
      script.run(300)
    }
    script.run(5000)
    assert.equal(script.has(second, first), 12)
    assert.deepEqual(script.judge(), [])
  })

  it('answers everything that was published before a joiner was ready', () => {
    const script = new ScriptedGroups()
    const [first] = formed(script, 2)
    const joiner = script.join()
    const tokens = script.publish(joiner, 10)
    assert.equal(script.answers.size, 0)
    script.run(3000)
    for (const token of tokens) assert.equal(script.answers.get(token), 'published')
    assert.equal(script.has(first, joiner), 10)
    assert.deepEqual(script.judge(), [])
  })
})

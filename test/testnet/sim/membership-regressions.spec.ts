import assert from 'node:assert/strict'
import { profiles } from '../../../lib/protocols/membership/config.ts'
import type { MemberHost } from '../../../testnet/sim/membership/member-host.ts'
import { ScriptedCluster } from './scripted.ts'
import { quietNetwork } from './toy.ts'

/** Stories that once ended badly, found by seeds; told here without chance. */
describe('membership, in stories that once ended badly', () => {
  const formed = (count: number) => {
    const script = new ScriptedCluster()
    script.form(count)
    assert.ok(script.cluster.agreed(), 'the cluster has formed')
    return { script, hosts: script.hosts as [MemberHost, MemberHost, MemberHost, MemberHost, MemberHost] }
  }

  it('heals after a partition although no connection was ever closed', () => {
    const { script, hosts } = formed(4)
    const side = [hosts[0], hosts[1]]
    script.cut(side)
    script.run(40_000)
    assert.equal(script.shows(hosts[0], hosts[2]), 'dead')
    assert.equal(script.shows(hosts[2], hosts[0]), 'dead')
    script.mend(side)
    script.run(6000)
    assert.ok(script.cluster.agreed())
  })

  it('joins although the first packets were lost', () => {
    const script = new ScriptedCluster(2, { network: { ...quietNetwork, transport: 'datagram' } })
    script.form(2)
    script.join()
    const { links } = script.cluster.network
    const { options } = links
    // The handshake passes, everything said in it arrives damaged.
    links.options = { ...options, corruption: 1 }
    script.run(400)
    links.options = options
    script.run(3000)
    assert.ok(script.cluster.agreed())
  })

  it('reads a refutation that waits behind an accusation before it judges', () => {
    const { script, hosts } = formed(5)
    const [, subject, , , observer] = hosts
    const from = script.world.now
    subject.process?.freeze()
    // Stopped as soon as it suspects, so that the others' accusations wait before the refutation.
    for (let i = 0; i < 400 && script.shows(observer, subject) === 'alive'; i++) script.run(5)
    assert.equal(script.shows(observer, subject), 'suspect')
    observer.process?.freeze()
    script.run(700)
    subject.process?.thaw()
    script.run(2500)
    observer.process?.thaw()
    script.run(1000)
    assert.ok(!script.shown(observer, subject, from).includes('dead'))
    assert.equal(script.shows(observer, subject), 'alive')
  })

  it('lets no two liars evict a member from the view of somebody who just joined', () => {
    const script = new ScriptedCluster()
    script.form(5, ['refuses', 'refuses'])
    script.cluster.lyingFrom = script.world.now
    const [, subject] = script.hosts as [MemberHost, MemberHost]
    for (let i = 0; i < 5; i++) {
      const from = script.world.now
      const joiner = script.cluster.addHost()
      // It cannot reach the subject at first, and hears of it from everybody else.
      script.cluster.network.links.cut(joiner.machine.index, subject.machine.index)
      script.cluster.network.links.cut(subject.machine.index, joiner.machine.index)
      script.cluster.start(joiner, script.hosts[0]?.machine.addresses ?? [])
      script.run(1500)
      script.cluster.network.links.mend(joiner.machine.index, subject.machine.index)
      script.cluster.network.links.mend(subject.machine.index, joiner.machine.index)
      script.run(5000)
      assert.ok(script.shown(joiner, subject, from).length > 0)
      assert.ok(!script.shown(joiner, subject, from).includes('dead'))
    }
  })

  it('notices a death soon after a long stop of its own', () => {
    const { script, hosts } = formed(5)
    const [, subject, , , observer] = hosts
    observer.process?.freeze()
    script.run(30_000)
    // Silent, so that only suspicion can tell; the others suspect it, the observer reads that when it is resumed.
    script.cluster.end(subject, 'power-cut')
    script.run(1500)
    observer.process?.thaw()
    script.run(12_000)
    assert.equal(script.shows(observer, subject), 'dead')
  })

  it('stops exactly one of two lives when a disk was cloned', () => {
    const { script, hosts } = formed(4)
    const [seed, original] = hosts
    original.recorded = false
    const clone = script.cluster.addClone(original)
    script.cluster.start(clone, seed.machine.addresses, true)
    script.run(15_000)
    assert.equal(original.process?.alive, false)
    assert.equal(clone.process?.alive, true)
    assert.ok(script.cluster.agreed())
  })

  it('steps over a generation that only the others remember', () => {
    const { script, hosts } = formed(4)
    const [seed, host] = hosts
    const before = host.core?.generation ?? 0
    script.cluster.end(host, 'kill')
    script.run(20_000)
    host.machine.disk.restore(new Map())
    host.machine.clock.stepWall(-3_600_000)
    script.cluster.start(host, seed.machine.addresses, true)
    script.run(10_000)
    assert.ok((host.core?.generation ?? 0) > before)
    assert.equal(host.core?.rolledBack, true)
    assert.ok(script.cluster.agreed())
  })

  it('steps over a life of which only tombstones are left, and counts as what it was', () => {
    const script = new ScriptedCluster(1, { config: { ...profiles.local, goneMs: 3000 } })
    script.form(5)
    const [seed, host] = script.hosts as [MemberHost, MemberHost]
    const before = host.core?.generation ?? 0
    script.cluster.end(host, 'kill')
    script.run(20_000)
    assert.equal(script.shows(seed, host), undefined, 'its row is reaped')
    host.machine.disk.restore(new Map())
    host.machine.clock.stepWall(-3_600_000)
    script.cluster.start(host, seed.machine.addresses, true)
    script.run(4000)
    assert.ok((host.core?.generation ?? 0) > before)
    assert.ok(script.cluster.agreed())
    assert.equal(host.core?.rolledBack, false, 'nobody can prove that its disk went back')
  })

  it('finds out at once that somebody is not there of whom only liars speak', () => {
    const script = new ScriptedCluster(1, { config: { ...profiles.local, goneMs: 3000 } })
    script.form(9, ['refuses', 'refuses'])
    const [seed, late, subject] = script.hosts as [MemberHost, MemberHost, MemberHost]
    script.cluster.depart(late, 'leave')
    script.cluster.lyingFrom = script.world.now
    script.run(5000)
    script.cluster.end(subject, 'power-cut')
    script.run(15_000)
    assert.equal(script.shows(seed, subject), undefined, 'the others have buried it')
    const from = script.world.now
    script.cluster.start(late, seed.machine.addresses)
    script.run(5000)
    assert.ok(script.shown(late, subject, from).includes('alive'), 'it is told so')
    assert.notEqual(script.shows(late, subject), 'alive')
    script.run(5000)
    assert.ok(['dead', undefined].includes(script.shows(late, subject)))
  })

  it('finds a silent death although one helper says each time that there was an answer', () => {
    const script = new ScriptedCluster()
    script.form(4, ['vouches'])
    script.cluster.lyingFrom = script.world.now
    const [observer, subject] = script.hosts as [MemberHost, MemberHost]
    script.cluster.end(subject, 'power-cut')
    script.run(15_000)
    assert.equal(script.shows(observer, subject), 'dead')
  })

  it('keeps a member whose links to two liars flow, whatever they refuse', () => {
    const script = new ScriptedCluster()
    script.form(4, ['refuses', 'refuses'])
    script.cluster.lyingFrom = script.world.now
    script.run(30_000)
    const dead = script.cluster.history.filter((event) => event.type === 'view' && event.status === 'dead')
    assert.deepEqual(dead, [])
  })
})

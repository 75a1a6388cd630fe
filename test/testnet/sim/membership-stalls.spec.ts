import assert from 'node:assert/strict'
import type { MemberHost } from '../../../testnet/sim/membership/member-host.ts'
import type { Lie } from '../../../testnet/sim/membership/options.ts'
import { ScriptedCluster } from './scripted.ts'

/** Processes that are stopped, alone and with others who make the most of it. */
describe('membership, with processes that are stopped', () => {
  class Scene {
    readonly script = new ScriptedCluster()
    readonly from: number

    constructor(count: number, lies: readonly Lie[] = []) {
      this.script.form(count, lies)
      assert.ok(this.script.cluster.agreed(), 'the cluster has formed')
      this.script.cluster.lyingFrom = this.script.world.now
      this.from = this.script.world.now
    }

    host(index: number): MemberHost {
      return this.script.hosts[index] as MemberHost
    }

    /** What each honest member that runs shows of `subject`. */
    shown(subject: MemberHost): string[] {
      const observers = this.script.hosts.filter(
        (host) => host !== subject && host.lie === undefined && host.process?.frozen === false,
      )
      return [...new Set(observers.map((host) => this.script.shows(host, subject) ?? 'nothing'))]
    }

    /** How long it takes until all show that, ms. */
    until(subject: MemberHost, status: string, atMostMs: number): number {
      const from = this.script.world.now
      while (this.script.world.now - from < atMostMs) {
        this.script.run(20)
        const shown = this.shown(subject)
        if (shown.length === 1 && shown[0] === status) break
      }
      assert.deepEqual(this.shown(subject), [status])
      return this.script.world.now - from
    }

    /** Who was called dead by somebody who runs. */
    get deaths(): unknown[] {
      return this.script.cluster.history.filter(
        (event) => event.type === 'view' && event.at >= this.from && event.status === 'dead',
      )
    }
  }

  for (const count of [2, 3, 4, 7]) {
    it(`shows a stopped one of ${count} as stalled within 3 s, and as alive as soon as it goes on`, () => {
      const scene = new Scene(count)
      const subject = scene.host(1)
      subject.process?.freeze()
      scene.until(subject, 'stalled', 3000)
      scene.script.run(17_000)
      assert.deepEqual(scene.shown(subject), ['stalled'])
      subject.process?.thaw()
      scene.until(subject, 'alive', 1000)
      assert.deepEqual(scene.deaths, [])
      assert.ok(scene.script.cluster.agreed())
    })
  }

  it('finds a stopped process that is killed as fast as any other', () => {
    const scene = new Scene(5)
    const subject = scene.host(1)
    subject.process?.freeze()
    scene.until(subject, 'stalled', 3000)
    scene.script.run(5000)
    scene.script.cluster.end(subject, 'kill')
    scene.until(subject, 'dead', 1000)
  })

  it('finds one that is killed after its connections were reset, when nobody can tell by their end', () => {
    const scene = new Scene(5)
    const subject = scene.host(1)
    subject.process?.freeze()
    scene.until(subject, 'stalled', 3000)
    for (const peer of subject.process?.connectedPeers ?? [])
      for (const end of subject.process?.connectionsTo(peer) ?? []) end.reset()
    scene.script.run(5000)
    assert.deepEqual(scene.shown(subject), ['stalled'])
    scene.script.cluster.end(subject, 'kill')
    scene.until(subject, 'dead', 10_000)
  })

  it('calls a stopped process dead when it does not go on', () => {
    const scene = new Scene(5)
    const subject = scene.host(1)
    subject.process?.freeze()
    scene.script.run(30_000)
    assert.deepEqual(scene.shown(subject), ['stalled'])
    scene.until(subject, 'dead', 6000)
    subject.process?.thaw()
    scene.until(subject, 'alive', 4000)
  })

  it('calls nobody dead while half of the members are stopped', () => {
    const scene = new Scene(7)
    const stopped = [1, 3, 5].map((index) => scene.host(index))
    for (const host of stopped) host.process?.freeze()
    scene.script.run(20_000)
    for (const host of stopped) assert.deepEqual(scene.shown(host), ['stalled'])
    for (const host of stopped) host.process?.thaw()
    scene.script.run(2000)
    assert.deepEqual(scene.deaths, [])
    assert.ok(scene.script.cluster.agreed())
  })

  it('calls nobody dead after a stop of all but one', () => {
    const scene = new Scene(4)
    const stopped = [1, 2, 3].map((index) => scene.host(index))
    for (const host of stopped) host.process?.freeze()
    scene.script.run(15_000)
    assert.equal(scene.host(0).core?.health.isolated, true)
    for (const host of stopped) host.process?.thaw()
    scene.script.run(3000)
    assert.deepEqual(scene.deaths, [])
    assert.ok(scene.script.cluster.agreed())
  })

  it('lets no liar who declares everybody dead evict whoever is stopped', () => {
    const scene = new Scene(6, ['suspects'])
    const subject = scene.host(1)
    subject.process?.freeze()
    scene.script.run(20_000)
    subject.process?.thaw()
    scene.script.run(5000)
    assert.deepEqual(scene.deaths, [])
  })

  it('lets no two who sign refusals evict whoever is stopped and still connected', () => {
    const scene = new Scene(5, ['refuses', 'refuses'])
    const subject = scene.host(1)
    subject.process?.freeze()
    scene.script.run(20_000)
    subject.process?.thaw()
    scene.script.run(5000)
    assert.deepEqual(scene.deaths, [])
  })

  it('begins anew with whoever it suspected when it was stopped itself', () => {
    const scene = new Scene(5)
    const subject = scene.host(1)
    const observer = scene.host(4)
    subject.machine.suspend()
    for (let i = 0; i < 400 && scene.script.shows(observer, subject) === 'alive'; i++) scene.script.run(5)
    scene.script.run(1500)
    observer.process?.freeze()
    subject.machine.resume()
    scene.script.run(4000)
    observer.process?.thaw()
    scene.script.run(3000)
    assert.ok(!scene.script.shown(observer, subject, scene.from).includes('dead'))
    assert.ok(scene.script.cluster.agreed())
  })

  it('takes a machine that stands still as a whole for dead, and has it back', () => {
    const scene = new Scene(5)
    const subject = scene.host(1)
    subject.machine.suspend()
    assert.ok(scene.until(subject, 'dead', 6000) >= 2000)
    subject.machine.resume()
    scene.until(subject, 'alive', 4000)
  })
})

import assert from 'node:assert/strict'
import type { MembershipConfig } from '../../../../lib/protocols/membership/config.ts'
import type { DialOutcome, MembershipRequest } from '../../../../lib/protocols/membership/messages.ts'
import { Lab, ScriptedPeer } from './lab.ts'

type Dial = Extract<MembershipRequest, { type: 'dial' }>

const timeout: DialOutcome = { type: 'failed', reason: 'timeout' }
const unanswered: DialOutcome = { type: 'failed', reason: 'unanswered' }
const refused: DialOutcome = { type: 'failed', reason: 'refused' }

/** A lab that knows eight members; the last is the subject. */
class Scene {
  readonly lab: Lab
  readonly others = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => new ScriptedPeer(name))
  readonly subject = new ScriptedPeer('z')

  constructor(config: Partial<MembershipConfig> = {}) {
    this.lab = new Lab({}, config)
    this.lab.start()
    for (const peer of [...this.others, this.subject]) this.lab.connect(peer)
    this.lab.runWhile(3000, [...this.others, this.subject])
    this.lab.take()
  }

  /** Silence for a while, so that this member has not just heard it, and then accusers. */
  suspect(by = 2): void {
    this.talk(600)
    this.lab.take()
    this.accuse(by)
    assert.equal(this.status, 'suspect')
  }

  accuse(by: number): void {
    const record = this.subject.record()
    const accusers = this.others.slice(0, by)
    for (const peer of accusers) {
      const update = { record, accusations: [peer.accuse(record)], contact: false }
      this.lab.receive(peer, peer.packet({ type: 'gossip' }, [update]))
    }
  }

  talk(ms: number): void {
    this.lab.runWhile(ms, this.others)
  }

  /** Fresh dials of the subject since the last time, answered at once if there is an answer. */
  dials(outcome?: DialOutcome): readonly Dial[] {
    const dials = this.lab
      .requests()
      .flatMap((request) =>
        request.type === 'dial' && request.peer === this.subject.id && request.mode === 'replace'
          ? [request]
          : [],
      )
    this.lab.effects = this.lab.effects.filter((effect) => effect.type !== 'dial')
    for (const { id } of outcome === undefined ? [] : dials)
      this.lab.command({ type: 'dialled', id, outcome: outcome as DialOutcome })
    return dials
  }

  /** Goes on for `ms`, each dial answered with `outcome`; how many there were. */
  dialled(ms: number, outcome: DialOutcome): number {
    let count = 0
    for (let passed = 0; passed < ms; passed += 50) {
      this.talk(50)
      count += this.dials(outcome).length
    }
    return count
  }

  get status(): string | undefined {
    return this.lab.member(this.subject)?.status
  }

  changes(): string[] {
    return this.lab
      .events()
      .flatMap((event) =>
        event.type === 'member' && event.member.peer === this.subject.id ? [event.change] : [],
      )
  }
}

describe('own dials of a suspect', () => {
  it('begin when a probe on the old connection is not answered, five in all, a fifth of the minimum each', () => {
    const scene = new Scene()
    scene.suspect()
    scene.talk(450)
    assert.equal(scene.dials().length, 0, 'the probe goes first')
    scene.talk(100)
    const [first] = scene.dials(timeout)
    assert.equal(first?.timeoutMs, 600)
    assert.equal(scene.dialled(3000, timeout), 4)
  })

  it('are not made for ever of who talks and never answers what is said of it', () => {
    const scene = new Scene()
    scene.suspect(4)
    const answers = (ms: number) => {
      let count = 0
      for (let passed = 0; passed < ms; passed += 1000) {
        scene.lab.hear(scene.subject)
        for (let i = 0; i < 20; i++) {
          scene.talk(50)
          for (const { id } of scene.dials()) {
            count++
            const address = '/ip4/10.0.0.1/tcp/1'
            scene.lab.command({
              type: 'dialled',
              id,
              outcome: { type: 'connected', peer: scene.subject.id, address },
            })
          }
        }
      }
      return count
    }
    answers(30_000)
    assert.equal(answers(600_000), 0)
    assert.equal(scene.status, 'suspect')
    // Then it is silent for good.
    scene.dialled(20_000, timeout)
    assert.equal(scene.status, 'dead')
  })

  it('begin at once without a connection', () => {
    const scene = new Scene()
    scene.lab.command({ type: 'disconnected', peer: scene.subject.id, closedBy: 'local' })
    scene.suspect()
    scene.lab.run(0)
    assert.equal(scene.dials().length, 1)
  })

  it('are spared to whom has just been heard', () => {
    const scene = new Scene()
    scene.suspect()
    scene.lab.hear(scene.subject)
    scene.talk(500)
    scene.lab.hear(scene.subject)
    scene.talk(500)
    assert.equal(scene.dials().length, 0)
  })

  it('must fail five times in a row before silence is a death', () => {
    const scene = new Scene()
    scene.suspect()
    scene.accuse(4)
    assert.equal(scene.dialled(2500, timeout), 4)
    const held = scene.lab.now
    scene.talk(500)
    const [fifth] = scene.dials()
    scene.talk(5000)
    assert.equal(scene.status, 'suspect', `the time-out is over since ${scene.lab.now - held} ms`)
    scene.lab.command({ type: 'dialled', id: fifth?.id ?? 0, outcome: timeout })
    scene.lab.run(0)
    assert.equal(scene.status, 'dead')
  })

  it('show a stop whose time the own one does not take up', () => {
    const scene = new Scene()
    scene.suspect()
    scene.dialled(1500, unanswered)
    assert.equal(scene.status, 'stalled')
    scene.talk(4000)
    scene.lab.stall(26_000)
    assert.equal(scene.status, 'stalled', 'what it said meanwhile is yet to be read')
    scene.dialled(20_000, unanswered)
    assert.equal(scene.status, 'stalled')
    scene.dialled(10_000, unanswered)
    assert.equal(scene.status, 'dead')
  })

  it('are counted anew after any bytes from it', () => {
    const scene = new Scene()
    scene.suspect()
    scene.accuse(4)
    assert.equal(scene.dialled(2500, timeout), 4)
    scene.lab.hear(scene.subject)
    scene.dials(timeout)
    scene.dialled(3000, timeout)
    assert.equal(scene.status, 'suspect')
    scene.dialled(2000, timeout)
    assert.equal(scene.status, 'dead')
  })

  it('are counted anew after a stall of the own loop, and what was under way then counts for nothing', () => {
    const scene = new Scene()
    scene.suspect()
    scene.accuse(4)
    assert.equal(scene.dialled(2500, timeout), 4)
    scene.talk(500)
    const [underWay] = scene.dials()
    scene.lab.stall(1500)
    scene.lab.command({ type: 'dialled', id: underWay?.id ?? 0, outcome: timeout })
    assert.equal(scene.dialled(2500, timeout), 5)
    scene.talk(3000)
    assert.equal(scene.status, 'dead')
  })

  it('are counted on in the end, however often the own loop stands still', () => {
    const scene = new Scene()
    scene.suspect()
    scene.accuse(4)
    for (let passed = 0; passed < 16_000; passed += 2500) {
      scene.dialled(1700, timeout)
      scene.lab.stall(800)
    }
    assert.equal(scene.status, 'suspect')
    for (let passed = 0; passed < 8000; passed += 2500) {
      scene.dialled(1700, timeout)
      scene.lab.stall(800)
    }
    assert.equal(scene.status, 'dead')
  })

  it('count for nothing when they meant an earlier life', () => {
    const scene = new Scene()
    scene.suspect()
    scene.talk(600)
    const [late] = scene.dials()
    scene.subject.generation++
    scene.lab.receive(scene.subject, scene.subject.ping())
    assert.equal(scene.status, 'alive')
    scene.talk(600)
    scene.accuse(4)
    scene.lab.command({ type: 'dialled', id: late?.id ?? 0, outcome: unanswered })
    assert.equal(scene.status, 'suspect')
  })

  it('are not needed where enough witnesses have signed that connects are refused', () => {
    const scene = new Scene()
    scene.suspect()
    const record = scene.subject.record()
    for (const peer of scene.others.slice(0, 4)) {
      const accusations = [peer.accuse(record), peer.accuse(record, { charge: 'refused' })]
      const update = { record, accusations, contact: false }
      scene.lab.receive(peer, peer.packet({ type: 'gossip' }, [update]))
    }
    assert.equal(scene.status, 'suspect', 'the own connection stands against a verdict at once')
    scene.talk(4000)
    assert.equal(scene.status, 'dead')
  })

  it('count as failed where it names no address', () => {
    const scene = new Scene()
    scene.subject.incarnation++
    const record = scene.subject.record({ addresses: [] })
    const packet = scene.subject.packet({ type: 'gossip' }, [{ record, accusations: [], contact: true }])
    scene.lab.receive(scene.subject, packet)
    scene.talk(600)
    for (const peer of scene.others.slice(0, 4)) {
      const update = { record, accusations: [peer.accuse(record)], contact: false }
      scene.lab.receive(peer, peer.packet({ type: 'gossip' }, [update]))
    }
    scene.talk(6000)
    assert.equal(scene.status, 'dead')
  })
})

describe('own dials where few watch for many', () => {
  const rings = { meshUpTo: 2, rings: 32 }

  it('must fail twice before an own failed probe is an accusation', () => {
    const scene = new Scene(rings)
    let dials = 0
    for (let passed = 0; passed < 12_000 && dials < 2; passed += 50) {
      scene.talk(50)
      assert.equal(scene.status, 'alive')
      dials += scene.dials(timeout).length
    }
    assert.equal(dials, 2)
    assert.equal(scene.status, 'suspect')
    assert.deepEqual(scene.lab.member(scene.subject)?.accusers, [scene.lab.self])
  })

  it('must be taken and not answered twice before it is stalled', () => {
    const scene = new Scene(rings)
    const outcomes = [unanswered, timeout, unanswered, unanswered]
    for (let passed = 0; passed < 15_000 && outcomes.length > 0; passed += 50) {
      scene.talk(50)
      assert.equal(scene.status, 'alive')
      if (scene.dials(outcomes[0]).length > 0) outcomes.shift()
    }
    assert.equal(scene.status, 'stalled')
  })

  it('keep a stop to this member for as long as it may last, and then accuse', () => {
    const scene = new Scene(rings)
    for (let passed = 0; passed < 12_000 && scene.status !== 'stalled'; passed += 50)
      scene.dialled(50, unanswered)
    assert.equal(scene.status, 'stalled')
    scene.dialled(24_000, unanswered)
    assert.equal(scene.status, 'stalled')
    assert.deepEqual(scene.lab.member(scene.subject)?.accusers, [])
    scene.dialled(10_000, unanswered)
    assert.deepEqual(scene.lab.member(scene.subject)?.accusers, [scene.lab.self])
    scene.accuse(2)
    scene.dialled(30_000, unanswered)
    assert.equal(scene.status, 'dead')
  })

  it('are forgotten when it speaks before they are done', () => {
    const scene = new Scene(rings)
    for (let passed = 0; passed < 12_000 && scene.dials(timeout).length === 0; passed += 50) scene.talk(50)
    scene.lab.hear(scene.subject)
    for (let passed = 0; passed < 1500; passed += 300) {
      scene.talk(300)
      scene.lab.hear(scene.subject)
    }
    assert.equal(scene.dials().length, 0)
    assert.equal(scene.status, 'alive')
  })

  it('are left to those who watch it', () => {
    const scene = new Scene({ meshUpTo: 2, rings: 0 })
    scene.suspect(4)
    assert.equal(scene.dialled(2500, timeout), 0)
    assert.equal(scene.status, 'suspect')
    scene.talk(1000)
    assert.equal(scene.status, 'dead')
  })
})

describe('a stalled member', () => {
  function stalled(): Scene {
    const scene = new Scene()
    scene.suspect()
    scene.accuse(4)
    scene.talk(600)
    assert.equal(scene.dials(unanswered).length, 1)
    assert.equal(scene.status, 'stalled')
    return scene
  }

  it('is one whose machine takes a connect and whose process does not answer', () => {
    const scene = stalled()
    assert.deepEqual(scene.changes(), ['suspect', 'stalled'])
  })

  it('is a suspect to everybody else, and counts like one', () => {
    const scene = stalled()
    const { lab, subject } = scene
    const { digest } = heartbeatTo(scene)
    lab.take()
    lab.receive(subject, subject.ping())
    const ack = lab.sent(subject).find(({ body }) => body.type === 'ack')
    assert.equal(ack?.body.type === 'ack' && ack.body.belief.standing, 'suspect')
    assert.equal(digest, heartbeatTo(scene).digest, 'and it is not in the digest')
  })

  it('is dialled no more but now and then, and dead when it was not heard for its own time-out', () => {
    const scene = stalled()
    const dials = scene.dialled(29_000, unanswered)
    assert.ok(dials <= 6, `${dials} dials`)
    assert.equal(scene.status, 'stalled')
    scene.dialled(2000, unanswered)
    assert.equal(scene.status, 'dead')
  })

  it('is alive again when it refutes', () => {
    const scene = stalled()
    scene.subject.incarnation++
    scene.lab.receive(scene.subject, scene.subject.ping())
    assert.equal(scene.status, 'alive')
    assert.deepEqual(scene.changes(), ['suspect', 'stalled', 'alive'])
  })

  it('is looked at again when its connection closes, and dead after five refusals', () => {
    const scene = stalled()
    scene.talk(6000)
    scene.dials()
    scene.lab.command({ type: 'disconnected', peer: scene.subject.id, closedBy: 'local' })
    scene.dialled(3500, refused)
    assert.equal(scene.status, 'dead')
  })

  it('is one too that shakes hands twice and says nothing', () => {
    const scene = new Scene()
    const connected = {
      type: 'connected',
      peer: scene.subject.id,
      address: '/ip4/10.0.0.1/tcp/1022',
    } as const
    scene.suspect()
    scene.talk(600)
    assert.equal(scene.dials(connected).length, 1)
    assert.equal(scene.dialled(1600, connected), 1)
    assert.equal(scene.status, 'suspect')
    assert.equal(scene.dialled(1600, connected), 0)
    assert.equal(scene.status, 'stalled')
  })

  function heartbeatTo(scene: Scene): { digest: bigint } {
    const peer = scene.others[0] as ScriptedPeer
    scene.lab.take()
    scene.lab.receive(peer, peer.ping())
    const body = scene.lab.sent(peer).find((packet) => packet.body.type === 'ack')?.body
    assert.ok(body?.type === 'ack')
    return body
  }
})

describe('healing', () => {
  it('dials every silent suspect at each tick, freshly', () => {
    const scene = new Scene()
    scene.suspect(1)
    assert.equal(scene.dialled(4000, timeout), 5)
    assert.equal(scene.dialled(5000, timeout), 1)
    assert.equal(scene.status, 'suspect')
  })

  it('dials at once whom others have heard and this member has not', () => {
    const scene = new Scene()
    scene.suspect()
    scene.dialled(1500, timeout)
    scene.lab.take()
    scene.subject.incarnation++
    const [a] = scene.others as [ScriptedPeer]
    scene.lab.receive(a, a.packet({ type: 'gossip' }, [scene.subject.update()]))
    assert.equal(scene.status, 'alive')
    scene.lab.run(0)
    assert.equal(scene.dials().length, 1)
  })

  it('accuses nobody who is back by hearsay before the dial has shown it', () => {
    const scene = new Scene({ probeAllUpTo: 16 })
    scene.suspect()
    scene.dialled(1500, timeout)
    scene.lab.take()
    scene.subject.incarnation++
    const [a] = scene.others as [ScriptedPeer]
    scene.lab.receive(a, a.packet({ type: 'gossip' }, [scene.subject.update()]))
    scene.talk(50)
    const [dial] = scene.dials()
    assert.ok(dial !== undefined && dial.timeoutMs <= 1500)
    scene.talk(2600)
    assert.equal(scene.status, 'alive', 'more than a whole probe has failed')
    scene.lab.command({ type: 'dialled', id: dial.id, outcome: timeout })
    scene.talk(6000)
    assert.equal(scene.status, 'suspect')
  })

  it('does not dial whom it has heard itself', () => {
    const scene = new Scene()
    scene.suspect()
    scene.dialled(1500, timeout)
    scene.lab.take()
    scene.lab.hear(scene.subject)
    scene.subject.incarnation++
    const [a] = scene.others as [ScriptedPeer]
    scene.lab.receive(a, a.packet({ type: 'gossip' }, [scene.subject.update()]))
    scene.talk(100)
    assert.equal(scene.dials().length, 0)
  })
})

describe('a member that is held for alive', () => {
  it('is probed by others at once when an own dial does not reach it', () => {
    const lab = new Lab()
    const others = Array.from({ length: 12 }, (_, i) => new ScriptedPeer(`o${i}`))
    const [teller] = others as [ScriptedPeer]
    const subject = new ScriptedPeer('z')
    lab.start()
    for (const peer of others) lab.connect(peer)
    lab.runWhile(3000, others)
    lab.receive(teller, teller.packet({ type: 'gossip' }, [subject.update()]))
    lab.runWhile(1000, others)
    const dials = lab.requests().flatMap((r) => (r.type === 'dial' && r.peer === subject.id ? [r.id] : []))
    assert.equal(dials.length, 1)
    lab.take()
    lab.command({ type: 'dialled', id: dials[0] as number, outcome: timeout })
    lab.runWhile(100, others)
    const asked = others.flatMap((peer) => lab.sent(peer)).filter(({ body }) => body.type === 'ping-request')
    assert.equal(asked.length, 3)
    lab.runWhile(1000, others)
    assert.deepEqual(lab.member(subject)?.accusers, [lab.self])
  })
})

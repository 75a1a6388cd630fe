/**
 * Changes: when this voter proposes one, and what it says to those of others.
 *
 * The lowest live voter proposes what the policy wants; the others wait, and take over when
 * nothing comes of it. Nobody proposes before a quorum has installed the last change.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { Acceptor } from './acceptor.ts'
import { comparePeers, mostRounds } from './ballot.ts'
import type { Installing } from './installing.ts'
import type { Ballot, Decision, ElectorateItem, Link } from './messages.ts'
import type { People } from './people.ts'
import { type VotersDecision, wanted } from './policy.ts'
import { Proposer } from './proposer.ts'
import { Readiness } from './readiness.ts'
import type { Retirement } from './retirement.ts'
import type { Stamps } from './stamps.ts'
import type { Standing } from './standing.ts'
import type { Wishes } from './wishes.ts'

/** The next voter in rank waits so much longer before it takes over. */
const takeOverMs = 3000
/** What was accepted and not decided is driven on after this, and up to as much again. */
const orphanedMs = 1500
/** Between two questions who has installed the last version. */
const pollMs = 500
const longestPauseMs = 30_000

type Of<Type extends ElectorateItem['type']> = Extract<ElectorateItem, { type: Type }>

export interface ChangesParts {
  readonly standing: Standing
  readonly acceptor: Acceptor
  readonly stamps: Stamps
  readonly installing: Installing
  readonly people: People
  readonly retirement: Retirement
  readonly wishes: Wishes
}

export interface ChangesEvents {
  decided(link: Link): void
  /** What may be dissolved into, if this electorate is to be given up. */
  dissolution(): Decision | undefined
}

export class Changes {
  readonly #parts: ChangesParts
  readonly #events: ChangesEvents
  readonly #proposer: Proposer
  readonly #readiness: Readiness
  #isAsking = false
  /** What is wanted, in words, and since when. */
  #wanted = ''
  #wantedAt = 0
  #acceptedAt = Number.NEGATIVE_INFINITY
  /** How often those who are to vote next were not all ready, and until when they are not asked again. */
  #refusals = 0
  #restsUntil = Number.NEGATIVE_INFINITY

  constructor(parts: ChangesParts, events: ChangesEvents) {
    this.#parts = parts
    this.#events = events
    this.#readiness = new Readiness(parts.standing)
    this.#proposer = new Proposer(parts.standing, {
      prepareOwn: (item) => this.#prepareOwn(item),
      acceptOwn: (item) => this.#acceptOwn(item),
      decided: (link) => events.decided(link),
      failed: () => this.consider(),
    })
  }

  /** What is being decided. */
  get decision(): Decision | undefined {
    return this.#proposer.decision
  }

  /** Something may be decided already that is not known here. */
  get isOpen(): boolean {
    return this.#parts.acceptor.state.accepted !== undefined || !this.#parts.installing.isDone
  }

  /** There is a new last version. */
  changed(): void {
    this.#proposer.reset()
    this.#readiness.stop()
    this.#isAsking = false
    this.#wanted = ''
    this.#parts.standing.host.cancel('consider')
    this.retry()
  }

  /** Somebody has come: what came to nothing may go well now. */
  retry(): void {
    this.#refusals = 0
    this.#restsUntil = Number.NEGATIVE_INFINITY
    this.consider()
  }

  stop(): void {
    this.#proposer.abandon()
    this.#readiness.stop()
  }

  /** Proposes what ought to change, if it is this voter's turn. */
  consider(): void {
    const { standing, stamps, installing, acceptor } = this.#parts
    const { host, version, chain } = standing
    if (chain === undefined || chain.dissolvedInto !== undefined || !stamps.isClear(version)) return
    if (this.#proposer.isBusy || this.#isAsking) return
    if (host.now < this.#proposer.restsUntil) return this.#later(this.#proposer.restsUntil)
    if (acceptor.state.accepted !== undefined) return this.#driveOn()
    const dissolution = this.#events.dissolution()
    if (dissolution !== undefined) return this.#proposer.propose(dissolution)
    const wish = this.#wish()
    if (wish === undefined) {
      this.#wanted = ''
      return
    }
    if (!installing.isDone) return this.#poll()
    const at = Math.max(this.#turn(wish), this.#isUrgent ? 0 : this.#restsUntil)
    if (host.now < at) return this.#later(at)
    this.#isAsking = true
    this.#readiness.ask(wish.voters, this.#parts.people.settled(wish.voters), (isReady, silent) =>
      this.#answered(wish, isReady, silent),
    )
  }

  #answered(wish: VotersDecision, isReady: boolean, silent: readonly PeerId[]): void {
    const { people, standing } = this.#parts
    const { host, chain } = standing
    this.#isAsking = false
    if (isReady && chain?.allows(wish) === true) return this.#proposer.propose(wish)
    for (const peer of silent) people.wasSilent(peer)
    // What is not urgent, and comes to nothing again and again, is asked for less and less.
    const pauseMs = this.#isUrgent ? pollMs : Math.min(longestPauseMs, pollMs * 2 ** this.#refusals)
    this.#refusals += 1
    this.#restsUntil = host.now + pauseMs
    this.#later(this.#restsUntil)
  }

  /** Somebody waits for it. */
  get #isUrgent(): boolean {
    const { standing, wishes } = this.#parts
    return standing.leaving || wishes.hasOwn || wishes.of('leave').size > 0
  }

  #later(at: number): void {
    this.#parts.standing.host.schedule('consider', at, () => this.consider())
  }

  /** Someone may have decided it; if its proposer still works on it, it is spared the contest. */
  #driveOn(): void {
    const { host } = this.#parts.standing
    const at = this.#acceptedAt + orphanedMs
    if (host.now < at) return this.#later(at + host.random() * orphanedMs)
    this.#proposer.propose(undefined)
  }

  /** Asks those who have not said whether they have installed the last version. */
  #poll(): void {
    const { standing, installing } = this.#parts
    this.ask(installing.installers)
    this.#later(standing.host.now + pollMs)
  }

  /** Voters of the last version tell where they stand. */
  ask(but: ReadonlySet<PeerId>): void {
    const { host, chain, version, voters } = this.#parts.standing
    if (chain === undefined) return
    for (const peer of voters) {
      if (peer === host.self || but.has(peer) || !host.isConnected(peer)) continue
      host.send(peer, { type: 'want', id: chain.id, after: version })
    }
  }

  #wish(): VotersDecision | undefined {
    const { standing, people, wishes, retirement } = this.#parts
    const { host, voters, chain } = standing
    const leaving = new Set(wishes.of('leave'))
    if (standing.leaving) leaving.add(host.self)
    return wanted({
      voters,
      maxVoters: chain?.charter.maxVoters ?? 1,
      people: people.candidates(leaving),
      adding: wishes.of('add'),
      removing: wishes.of('remove'),
      sinceReplacedMs: retirement.sinceMs(host.now),
      readyForMs: host.config.readyForMs,
      replaceAfterMs: host.config.replaceAfterMs,
    })
  }

  /** When this voter proposes it: at once if it was asked by hand, or has the lowest id of those that live. */
  #turn(wish: VotersDecision): number {
    const { standing, wishes, installing } = this.#parts
    const { host, voters } = standing
    const text = JSON.stringify([standing.version, wish.voters])
    if (text !== this.#wanted) {
      this.#wanted = text
      this.#wantedAt = host.now
    }
    if (standing.leaving || wishes.hasOwn) return host.now
    const leaving = wishes.of('leave')
    const able = [...standing.answering(voters)].filter(
      (peer) => !leaving.has(peer) && !installing.isIdle(peer),
    )
    // Whoever leaves sees to it itself, if it can.
    const courtesyMs = voters.some((peer) => leaving.has(peer)) ? pollMs : 0
    return this.#wantedAt + courtesyMs + able.sort(comparePeers).indexOf(host.self) * takeOverMs
  }

  // The acceptor's side.

  receivePrepare(from: PeerId, item: Of<'prepare'>): 'bad-proof' | undefined {
    const { standing, acceptor, stamps } = this.#parts
    const { host, chain } = standing
    const problem = this.#problem(from, item)
    if (problem !== 'none') return problem
    const { version, ballot, decision } = item
    if (decision !== undefined && chain?.allows(decision) !== true) return 'bad-proof'
    this.#proposer.saw(ballot)
    const reason = acceptor.state.accepted === undefined ? this.#objection(decision) : undefined
    if (reason !== undefined) {
      host.send(from, { type: 'objection', version, ballot, reason })
      return undefined
    }
    const answer = acceptor.prepare(ballot)
    if (answer.type === 'preempted') host.send(from, { version, ballot, ...answer })
    else
      stamps.whenAcknowledged(`promise ${from}`, [version], () =>
        host.send(from, { version, ballot, ...answer }),
      )
    return undefined
  }

  receiveAccept(from: PeerId, item: Of<'accept'>): 'bad-proof' | undefined {
    const { standing, acceptor, stamps } = this.#parts
    const { host, chain } = standing
    const problem = this.#problem(from, item)
    if (problem !== 'none') return problem
    const { version, ballot, decision } = item
    // Giving up is the sole voter's own business.
    if (decision.type === 'dissolved' || chain?.allows(decision) !== true) return 'bad-proof'
    this.#proposer.saw(ballot)
    const answer = acceptor.accept(ballot, decision)
    if (answer.type === 'preempted') {
      host.send(from, { version, ballot, ...answer })
      return undefined
    }
    this.#acceptedAt = host.now
    this.#later(host.now + orphanedMs * (1 + host.random()))
    stamps.whenAcknowledged(`accept ${from}`, [version], () =>
      host.send(from, { version, ballot, ...answer }),
    )
    return undefined
  }

  #problem(from: PeerId, { version, ballot }: { version: number; ballot: Ballot }) {
    const { standing, stamps } = this.#parts
    if (version !== standing.version || !standing.votesIn(version)) return undefined
    if (ballot.peer !== from || ballot.round > mostRounds) return 'bad-proof'
    return stamps.isClear(version) ? 'none' : undefined
  }

  #prepareOwn({ version, ballot, decision }: Of<'prepare'>): void {
    const { standing, acceptor, stamps } = this.#parts
    const { self } = standing.host
    const reason = acceptor.state.accepted === undefined ? this.#objection(decision) : undefined
    if (reason !== undefined) {
      this.#proposer.objected(self, { type: 'objection', version, ballot, reason })
      return
    }
    const answer = acceptor.prepare(ballot)
    if (answer.type === 'preempted') this.#proposer.preempted(self, { version, ballot, ...answer })
    else
      stamps.whenAcknowledged('own promise', [version], () =>
        this.#proposer.promised(self, { version, ballot, ...answer }),
      )
  }

  #acceptOwn({ version, ballot, decision }: Of<'accept'>): void {
    const { standing, acceptor, stamps } = this.#parts
    const { host } = standing
    if (decision.type === 'dissolved' && !this.#giveUp()) return this.#proposer.abandon()
    const answer = acceptor.accept(ballot, decision)
    if (answer.type === 'preempted') {
      this.#proposer.preempted(host.self, { version, ballot, ...answer })
      return
    }
    this.#acceptedAt = host.now
    stamps.whenAcknowledged('own accept', [version], () =>
      this.#proposer.accepted(host.self, { version, ballot, ...answer }),
    )
  }

  /** What is given up never grants: sealed before anybody hears of it. */
  #giveUp(): boolean {
    const { standing } = this.#parts
    const { arbiter } = standing.host
    if (arbiter.state.granted || standing.voters.length !== 1) return false
    standing.unstamped = true
    arbiter.seal()
    return true
  }

  /** Policy, as far as one voter can judge the wish of another. */
  #objection(decision: Decision | undefined): string | undefined {
    if (decision?.type !== 'voters') return undefined
    const { standing, people, wishes, retirement } = this.#parts
    const { config, now } = standing.host
    const asked = new Set([...wishes.of('remove'), ...wishes.of('leave')])
    const dead = decision.replaced.filter((peer) => !asked.has(peer))
    if (dead.some((peer) => people.deadMs(peer) < config.replaceAfterMs))
      return 'it is not dead for long enough here'
    if (dead.length > 0 && retirement.sinceMs(now) < config.replaceAfterMs)
      return 'somebody was replaced just now'
    const joining = decision.voters.filter((peer) => !standing.voters.includes(peer))
    if (joining.some((peer) => people.deadMs(peer) > 0)) return 'who is to join is dead here'
    return undefined
  }

  receivePromise(from: PeerId, item: Of<'promise'>): void {
    this.#proposer.promised(from, item)
  }

  receiveObjection(from: PeerId, item: Of<'objection'>): void {
    this.#proposer.objected(from, item)
  }

  receivePreempted(from: PeerId, item: Of<'preempted'>): void {
    this.#proposer.preempted(from, item)
  }

  receiveAccepted(from: PeerId, item: Of<'accepted'>): 'bad-proof' | undefined {
    return this.#proposer.accepted(from, item)
  }

  receiveReady(from: PeerId, item: Of<'ready'>): void {
    this.#readiness.receive(from, item)
  }
}

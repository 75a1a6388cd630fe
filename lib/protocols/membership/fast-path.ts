/**
 * The fast path: proof of a dead process in half a second.
 *
 * When a process is killed, its kernel closes its connections, and connects to
 * its port are refused. The observer whose connection was closed by the remote
 * makes fresh connects at 0, 200 and 400 ms to each address at which it has
 * itself completed a handshake with this life. If each is refused, or answered
 * by another identity, it signs a refusal. A time-out, a reset after connecting
 * and an unreachable network prove nothing: a full backlog times out, a
 * connection limit closes. What the refusals of several observers mean is
 * `suspicion.ts`' and `judge.ts`' business.
 *
 * A firewall that rejects looks the same, so it can be switched off.
 */
import type { Agenda } from '../agenda.ts'
import type { PeerId } from '../core.ts'
import type { MembershipInit } from './init.ts'
import type { Isolation } from './isolation.ts'
import type { Judge } from './judge.ts'
import type { Member } from './member.ts'
import type { KnockOutcome } from './messages.ts'
import type { Timer } from './timers.ts'
import type { MembershipTurn } from './turn.ts'
import type { View } from './view.ts'

interface Inquest {
  readonly generation: number
  readonly addresses: readonly string[]
  /** Knocks under way, or still to come. */
  outstanding: number
}

export class FastPath {
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #agenda: Agenda<Timer>
  readonly #view: View
  readonly #judge: Judge
  readonly #isolation: Isolation
  readonly #nextRequest: () => number
  readonly #inquests = new Map<PeerId, Inquest>()
  readonly #knocks = new Map<number, PeerId>()

  constructor(
    init: MembershipInit,
    turn: MembershipTurn,
    agenda: Agenda<Timer>,
    view: View,
    judge: Judge,
    isolation: Isolation,
    nextRequest: () => number,
  ) {
    this.#init = init
    this.#turn = turn
    this.#agenda = agenda
    this.#view = view
    this.#judge = judge
    this.#isolation = isolation
    this.#nextRequest = nextRequest
  }

  /** The remote closed the last connection to `member` without a leave. */
  open(member: Member): void {
    const { fastPath, knockAtMs } = this.#init.config
    if (!fastPath || !member.present || member.verified.size === 0) return
    this.void(member.peer)
    member.isExamined = true
    const addresses = [...member.verified]
    this.#inquests.set(member.peer, {
      generation: member.generation,
      addresses,
      outstanding: knockAtMs.length * addresses.length,
    })
    for (const [round, after] of knockAtMs.entries()) {
      const at = this.#turn.now + after
      this.#agenda.schedule(key(member.peer, round), at, { type: 'knock', peer: member.peer })
    }
  }

  knock(peer: PeerId): void {
    const inquest = this.#inquests.get(peer)
    if (inquest === undefined) return
    for (const address of inquest.addresses) {
      const id = this.#nextRequest()
      this.#knocks.set(id, peer)
      this.#turn.request({ type: 'knock', id, peer, address, timeoutMs: this.#init.config.knockTimeoutMs })
    }
  }

  knocked(id: number, outcome: KnockOutcome): void {
    const peer = this.#knocks.get(id)
    if (peer === undefined) return
    this.#knocks.delete(id)
    const inquest = this.#inquests.get(peer)
    if (inquest === undefined) return
    if (outcome === 'answered' || outcome === 'inconclusive') {
      this.void(peer)
      return
    }
    this.#isolation.refused()
    inquest.outstanding--
    if (inquest.outstanding > 0) return
    this.void(peer)
    const member = this.#view.get(peer)
    if (member?.generation === inquest.generation) this.#judge.accuse(member, 'refused')
  }

  /** Authenticated contact, in either direction, or a new life: nothing was proven. */
  void(peer: PeerId): void {
    if (!this.#inquests.delete(peer)) return
    for (const round of this.#init.config.knockAtMs.keys()) this.#agenda.cancel(key(peer, round))
    for (const [id, subject] of this.#knocks) if (subject === peer) this.#knocks.delete(id)
  }

  /** The own loop stood still: answers may be older than they seem. */
  voidAll(): void {
    for (const peer of [...this.#inquests.keys()]) this.void(peer)
  }
}

function key(peer: PeerId, round: number): string {
  return `knock ${round} ${peer}`
}

/**
 * READY: whoever is to vote next says that it would, with its disk written. A
 * change that is decided cannot be taken back, so nobody is named who may not come.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { electorateKeys } from './keeping.ts'
import type { ElectorateItem } from './messages.ts'
import type { Standing } from './standing.ts'

/** Between two questions to one peer. */
const repeatMs = 250

interface Question {
  readonly token: number
  readonly version: number
  readonly voters: readonly PeerId[]
  readonly ready: Set<PeerId>
  readonly until: number
  readonly settled: ReadonlySet<PeerId>
  readonly answered: Answered
}

/** `silent`: those who are to join and did not say READY. */
export type Answered = (isReady: boolean, silent: readonly PeerId[]) => void

export class Readiness {
  readonly #standing: Standing
  #question: Question | undefined
  #tokens = 0

  constructor(standing: Standing) {
    this.#standing = standing
  }

  /** Asks those who are to vote next; `answered` is called once, within `readyWithinMs`. */
  ask(voters: readonly PeerId[], settled: ReadonlySet<PeerId>, answered: Answered): void {
    const { host, version } = this.#standing
    this.#question = {
      token: ++this.#tokens,
      version,
      voters,
      ready: new Set([host.self]),
      until: host.now + host.config.readyWithinMs,
      settled,
      answered,
    }
    this.#ask()
  }

  stop(): void {
    this.#question = undefined
    this.#standing.host.cancel('ready')
  }

  #ask(): void {
    const { host } = this.#standing
    const question = this.#question
    if (question === undefined) return
    if (this.#isEnough(question)) {
      this.#end(question, true)
    } else if (host.now >= question.until || question.version !== this.#standing.version) {
      this.#end(question, false)
    } else {
      const { token, version, ready, voters, until } = question
      for (const peer of voters) {
        if (!ready.has(peer) && host.isConnected(peer)) host.send(peer, { type: 'ready?', version, token })
      }
      host.schedule('ready', Math.min(until, host.now + repeatMs), () => this.#ask())
    }
  }

  receive(from: PeerId, { token, version }: Extract<ElectorateItem, { type: 'ready' }>): void {
    const question = this.#question
    if (question === undefined || question.token !== token || question.version !== version) return
    if (!question.voters.includes(from)) return
    question.ready.add(from)
    if (this.#isEnough(question)) this.#end(question, true)
  }

  #end(question: Question, isReady: boolean): void {
    this.stop()
    const { voters } = this.#standing
    const silent = question.voters.filter((peer) => !voters.includes(peer) && !question.ready.has(peer))
    question.answered(isReady, silent)
  }

  #isEnough({ voters, ready, settled }: Question): boolean {
    const { voters: present, host, units } = this.#standing
    const kept = voters.filter((peer) => present.includes(peer))
    return units.mayPropose({
      voters,
      joining: voters.filter((peer) => !present.includes(peer)),
      staying: this.#standing.answering(kept),
      ready: voters.includes(host.self) ? ready : new Set([...ready].filter((peer) => peer !== host.self)),
      settled,
      isSole: present.length === 1,
    })
  }
}

/** The answer to `ready?`: whether this peer would vote. On disk before it is told. */
export class Promising {
  readonly #standing: Standing
  #lastAt = Number.NEGATIVE_INFINITY

  constructor(standing: Standing) {
    this.#standing = standing
  }

  start(): void {
    this.#standing.ready = this.#standing.number(electorateKeys.ready)
  }

  /** When it last said so, monotonic ms. */
  get lastAt(): number {
    return this.#lastAt
  }

  promise(version: number): void {
    const { host } = this.#standing
    this.#lastAt = host.now
    if (version === this.#standing.ready) return
    this.#standing.ready = version
    // Not of the lock state: a disk that went back must not pass for new because of it.
    this.#standing.keepNumber(electorateKeys.ready, version)
  }

  forget(): void {
    this.#standing.ready = 0
    this.#standing.host.remember(electorateKeys.ready, undefined)
  }
}

/**
 * Whether this peer may vote. An identity whose disk was lost or went back does not,
 * until the voters have removed and added it, with all known that is left of its former lives.
 */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { decodeOrigin, encodeOrigin, type Origin } from '../records.ts'
import type { Acceptor } from './acceptor.ts'
import { electorateKeys } from './keeping.ts'
import type { ElectorateItem, Link } from './messages.ts'
import type { Promising } from './readiness.ts'
import type { Stamps } from './stamps.ts'
import type { Standing } from './standing.ts'

export interface FranchiseParts {
  readonly standing: Standing
  readonly stamps: Stamps
  readonly acceptor: Acceptor
  readonly promising: Promising
}

export class Franchise {
  readonly #parts: FranchiseParts
  readonly #voided: () => void
  #origin: Origin['type'] | undefined

  /** `voided`: whatever this peer was about to do as a voter is over. */
  constructor(parts: FranchiseParts, voided: () => void) {
    this.#parts = parts
    this.#voided = voided
  }

  start(): void {
    const origin = this.#parts.standing.host.durable.get(electorateKeys.origin)
    this.#origin = origin === undefined ? undefined : decodeOrigin(origin).type
    this.check()
  }

  /** There is a new last version: it may name this peer, which knows nothing of how that came about. */
  check(): void {
    if (this.#isLost) this.void('lost')
  }

  get #isLost(): boolean {
    const { chain, host, isVoid, ready } = this.#parts.standing
    if (isVoid) return false
    if (this.#origin === undefined) return true
    if (chain === undefined) return this.#origin === 'founder'
    const since = chain.tenure(host.self)
    // Nobody is named who has not said READY, and had that on disk.
    return since > 1 && ready < since - 1
  }

  /** A link that bears an accept of this peer which its disk knows nothing of. */
  checkLink({ accepts, version, ballot }: Link): void {
    const { standing, acceptor } = this.#parts
    const isOwn = accepts.some(({ voter }) => voter === standing.host.self)
    if (isOwn && !standing.isVoid && !acceptor.remembers(version, ballot)) this.void('rolled-back')
  }

  /** `version`: of who knows that, if it is further. */
  void(reason: 'lost' | 'rolled-back', version = 0): void {
    const { standing, stamps } = this.#parts
    const { arbiter } = standing.host
    this.#voided()
    if (arbiter.state.void === undefined) {
      standing.unstamped = true
      arbiter.void(reason)
    }
    stamps.voided(Math.max(version, standing.version))
    standing.host.viewChanged()
  }

  /** Would this peer vote in what follows? The answer is on disk before it is given. */
  receiveQuestion(from: PeerId, { version, token }: Extract<ElectorateItem, { type: 'ready?' }>): void {
    const { standing, promising } = this.#parts
    if (version !== standing.version || standing.leaving || !this.#mayVote) return
    promising.promise(version)
    if (this.#origin === undefined) this.#beginAnew()
    standing.host.send(from, { type: 'ready', version, token })
  }

  /** A voter that acts on its disk; or another peer, unless its disk went back and the voters have not settled that yet. */
  get #mayVote(): boolean {
    const { standing, stamps } = this.#parts
    const { version, isVoid } = standing
    if (standing.votesIn(version)) return stamps.isClear(version)
    if (!isVoid || standing.isReturning || stamps.mayReturn()) return true
    stamps.ask()
    return false
  }

  /** What was lost is settled: from here on the disk tells all. */
  #beginAnew(): void {
    this.#origin = 'joiner'
    this.#parts.standing.host.remember(electorateKeys.origin, encodeOrigin({ type: 'joiner' }))
  }

  /** By hand, of a sole voter whose disk went back: undefined, or why not. */
  recover(): string | undefined {
    const { standing, stamps } = this.#parts
    const { host, voters } = standing
    if (host.arbiter.state.void !== 'rolled-back') return 'the disk of this peer was not found rolled back'
    if (voters.length !== 1 || voters[0] !== host.self) {
      return 'only a sole voter is recovered: remove this one, and add it again'
    }
    standing.unstamped = true
    host.arbiter.recover()
    stamps.recovered()
    host.viewChanged()
    return undefined
  }
}

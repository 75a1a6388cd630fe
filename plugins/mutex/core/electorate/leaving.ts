/**
 * Leave: a peer goes once its going leaves nobody in need of it.
 *
 * A voter goes once a quorum of the version without it has installed. When that takes too long, it
 * goes only if no change is open and those who stay are a quorum of the present version; else
 * it stays. A sole voter hands over, or goes when it is alone.
 */
import { isQuorum } from '../../../../lib/protocols/quorum/quorum.ts'
import type { Changes } from './changes.ts'
import type { Installing } from './installing.ts'
import type { People } from './people.ts'
import type { Promising } from './readiness.ts'
import type { Standing } from './standing.ts'

const pollMs = 200

export interface LeavingParts {
  readonly standing: Standing
  readonly installing: Installing
  readonly changes: Changes
  readonly people: People
  readonly promising: Promising
}

export class Leaving {
  readonly #parts: LeavingParts
  #ended: ((outcome: 'done' | 'refused', reason: string) => void) | undefined
  #until = 0

  constructor(parts: LeavingParts) {
    this.#parts = parts
  }

  get isUnderWay(): boolean {
    return this.#ended !== undefined
  }

  /** Ends with `done` when this peer may go, or with `refused` when it has to stay. */
  begin(ended: (outcome: 'done' | 'refused', reason: string) => void): void {
    const { host } = this.#parts.standing
    if (this.#ended !== undefined) {
      ended('refused', 'it is leaving already')
      return
    }
    this.#parts.standing.leaving = true
    this.#ended = ended
    this.#until = host.now + host.config.leaveMs
    this.drive()
  }

  /** Something has changed. */
  check(): void {
    if (this.#ended !== undefined && this.#mayGo) this.#end('done', '')
  }

  drive(): void {
    this.check()
    if (this.#ended === undefined) return
    const { standing, changes, installing } = this.#parts
    const { host } = standing
    if (host.now >= this.#until) {
      if (this.#canBeSpared) this.#end('done', '')
      else this.#end('refused', 'incomplete')
      return
    }
    this.#tell()
    if (!installing.isDone) changes.ask(installing.installers)
    changes.consider()
    if (this.#ended !== undefined) {
      host.schedule('leave', Math.min(this.#until, host.now + pollMs), () => this.drive())
    }
  }

  /** Nothing depends on this peer. */
  get #mayGo(): boolean {
    const { standing, installing, people, promising } = this.#parts
    const { version, host, voters } = standing
    if (version === 0) return true
    if (standing.votesIn(version)) return voters.length === 1 && !people.hasOthers
    if (standing.votesIn(version - 1) && !installing.isDone) return false
    // Whoever has just heard that this peer is ready may be about to name it.
    return host.now - promising.lastAt > 2 * host.config.readyWithinMs
  }

  /** After the wait: nobody is about to need it, and those who stay can go on without. */
  get #canBeSpared(): boolean {
    const { standing, changes } = this.#parts
    const { version, voters, host } = standing
    if (!standing.votesIn(version)) return !standing.votesIn(version - 1) || this.#parts.installing.isDone
    if (changes.isOpen || voters.length === 1) return false
    const staying = standing.answering(voters)
    staying.delete(host.self)
    return isQuorum(voters, staying)
  }

  /** So that nobody counts on it in a change of its own. */
  #tell(): void {
    const { host, concerned } = this.#parts.standing
    for (const peer of concerned) {
      if (peer !== host.self && host.isConnected(peer)) {
        host.send(peer, { type: 'wish', token: 0, wish: { type: 'leave', peer: host.self } })
      }
    }
  }

  #end(outcome: 'done' | 'refused', reason: string): void {
    const ended = this.#ended
    this.#ended = undefined
    this.#parts.standing.host.cancel('leave')
    // One that may go does not vote again, should it linger.
    if (outcome === 'refused') this.#parts.standing.leaving = false
    ended?.(outcome, reason)
  }
}

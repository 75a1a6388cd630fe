import type { Ballot } from '../../../plugins/mutex/core/electorate/messages.ts'
import type { Frame } from '../../../plugins/mutex/core/messages.ts'
import type { Ledger } from './ledger.ts'
import type { Life } from './lock-host.ts'

/** What a voter has said in one life: within it an answer may wait, and leave behind a later one. */
interface Word {
  readonly type: 'promise' | 'accepted'
  readonly ballot: Ballot
  readonly life: Life
}

/**
 * Voters that decide keep their word over all their lives: who has promised a ballot
 * answers no lower one, and who has accepted says so ever after.
 *
 * - Lamport 2001, Paxos Made Simple
 */
export class Acceptors {
  readonly #ledger: Ledger
  /** By voter, electorate and version. */
  readonly #words = new Map<string, readonly Word[]>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** It leaves. */
  sent(life: Life, { id, items }: Frame): void {
    // A disk that went back has forgotten its word, and may not vote: that is judged elsewhere.
    if (id === undefined || life.host.spoilt) return
    for (const item of items) {
      if (item.type !== 'promise' && item.type !== 'accepted') continue
      const { type, ballot, version } = item
      const key = `${life.host.peer} ${id} ${version}`
      const words = this.#words.get(key) ?? []
      this.#words.set(key, [...words, { type, ballot, life }])
      const before = words.filter((word) => word.life !== life)
      if (before.some((word) => compare(ballot, word.ballot) < 0)) {
        this.#breach(life, version, `${type} of a ballot below one that it has promised`)
      }
      if (item.type !== 'promise') continue
      const said = item.accepted?.ballot
      const hides = ({ type, ballot }: Word): boolean =>
        type === 'accepted' && (said === undefined || compare(said, ballot) < 0)
      if (before.some(hides)) this.#breach(life, version, 'promise that does not say what it has accepted')
    }
  }

  #breach({ host }: Life, version: number, what: string): void {
    this.#ledger.breach('keeps-its-word', `${host.name} sends a ${what} (version ${version})`)
  }
}

function compare(a: Ballot, b: Ballot): number {
  if (a.round !== b.round) return a.round - b.round
  if (a.peer !== b.peer) return a.peer < b.peer ? -1 : 1
  return a.generation - b.generation
}

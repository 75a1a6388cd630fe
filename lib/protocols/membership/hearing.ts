/** The packet at hand: whose it is, and whether the rest of it is worth a look. */
import type { PeerId } from '../core.ts'
import type { Source } from './gossip.ts'
import type { MembershipInit } from './init.ts'
import type { Misbehaviour } from './messages.ts'
import type { Traffic } from './traffic.ts'
import type { MembershipTurn } from './turn.ts'

export class Hearing {
  readonly #init: MembershipInit
  readonly #turn: MembershipTurn
  readonly #traffic: Traffic
  #speaker: PeerId | undefined
  #isView = false
  #spoilt = false

  constructor(init: MembershipInit, turn: MembershipTurn, traffic: Traffic) {
    this.#init = init
    this.#turn = turn
    this.#traffic = traffic
  }

  /** A step: with a packet of `speaker`, or without any. `isView`: rows of its view, asked for or not. */
  begin(speaker: PeerId | undefined, isView: boolean): void {
    this.#speaker = speaker
    this.#isView = isView
    this.#spoilt = false
  }

  /** What it says is no news where it comes from. */
  get isView(): boolean {
    return this.#isView
  }

  /** It broke the rules; the rest of it is dropped. */
  get isSpoilt(): boolean {
    return this.#spoilt
  }

  misbehaved(peer: PeerId, reason: Misbehaviour): void {
    this.#spoilt = true
    if (reason === 'flooding' && !this.#traffic.mayBlame(peer, this.#turn.now)) return
    this.#turn.emit({ type: 'misbehaved', peer, reason })
  }

  /** Whether what `author` signed came from itself. */
  sourceOf(author: PeerId): Source {
    if (author === this.#init.self) return 'self'
    return author === this.#speaker ? 'author' : 'rumour'
  }
}

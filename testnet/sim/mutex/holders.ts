import type { World } from '../world.ts'
import type { Ledger } from './ledger.ts'
import { clockOf, isValid, type Life, trueTimeOf } from './lock-host.ts'

/** One life that works under a lock. */
interface Stay {
  readonly life: Life
  readonly token: number
  readonly lock: string
  readonly fencingToken: number
  /** On the clock of its process; the core moves it. */
  until: number
  /** Its core has decided that it is over; the news may have to wait for the disk. */
  told: boolean
}

export interface HoldersInit {
  readonly world: World
  readonly ledger: Ledger
  /** Clocks run wrong by more than leases survive: then only tokens protect. */
  readonly wild: boolean
  /** A holder has to know this soon after its right ended, true ms. */
  readonly lostWithinMs: number
}

/**
 * Who holds which lock in true time, as each holder itself would say if it looked
 * at its clock at that instant.
 */
export class Holders {
  readonly #init: HoldersInit
  readonly #stays = new Map<string, Set<Stay>>()
  readonly #highest = new Map<string, number>()
  readonly #used = new Set<string>()
  readonly #byLife = new Map<Life, Map<number, Stay>>()
  readonly #moved = new Map<string, number>()
  #entries = 0

  constructor(init: HoldersInit) {
    this.#init = init
  }

  get entries(): number {
    return this.#entries
  }

  /** When somebody entered or left that lock for the last time; 0: never. */
  lastMoved(lock: string): number {
    return this.#moved.get(lock) ?? 0
  }

  /** Hosts that hold a lock at this instant. */
  get holding(): readonly Life[] {
    const lives: Life[] = []
    for (const stays of this.#stays.values()) {
      for (const stay of stays) if (stillValid(stay)) lives.push(stay.life)
    }
    return lives
  }

  isHolding(life: Life, token: number): boolean {
    return this.#byLife.get(life)?.has(token) === true
  }

  /** The app has looked at its clock and begins. */
  entered(life: Life, token: number, lock: string, fencingToken: number, request: number): void {
    const { ledger, wild } = this.#init
    const until = life.core.validUntil(token) ?? 0
    const stay: Stay = { life, token, lock, fencingToken, until, told: false }
    this.#entries++
    this.#judgeToken(stay)
    const others = this.#stays.get(lock) ?? new Set()
    this.#stays.set(lock, others.add(stay))
    const mine = this.#byLife.get(life) ?? new Map<number, Stay>()
    this.#byLife.set(life, mine.set(token, stay))
    const at = ledger.now()
    this.#moved.set(lock, at)
    const { peer } = life.host
    ledger.record({
      at,
      type: 'entered',
      lock,
      peer,
      life: life.number,
      token: fencingToken,
      request,
      until: trueTimeOf(life, until),
    })
    if (!wild) this.#judgeAlone(stay)
    this.#watchEnd(stay)
  }

  /** Its core was stepped: a renewal may have moved what it holds. */
  stepped(life: Life): void {
    const mine = this.#byLife.get(life)
    if (mine === undefined) return
    for (const stay of mine.values()) {
      const until = life.core.validUntil(stay.token)
      if (until === undefined || until === stay.until) continue
      const longer = until > stay.until
      stay.until = until
      this.#init.ledger.record({ ...this.#named(stay), type: 'renewed', until: trueTimeOf(life, until) })
      if (!longer) continue
      if (!this.#init.wild) this.#judgeAlone(stay)
      this.#watchEnd(stay)
    }
  }

  /** Its core decides that the lock is lost. */
  told(life: Life, token: number): void {
    const stay = this.#byLife.get(life)?.get(token)
    if (stay !== undefined) stay.told = true
  }

  left(life: Life, token: number, how: 'released' | 'lost' | 'died'): void {
    const stay = this.#byLife.get(life)?.get(token)
    if (stay === undefined) return
    this.#byLife.get(life)?.delete(token)
    this.#stays.get(stay.lock)?.delete(stay)
    this.#moved.set(stay.lock, this.#init.ledger.now())
    this.#init.ledger.record({ ...this.#named(stay), type: 'left', how })
  }

  /** The process is gone. */
  ended(life: Life): void {
    for (const token of [...(this.#byLife.get(life)?.keys() ?? [])]) this.left(life, token, 'died')
    this.#byLife.delete(life)
  }

  #named({ life, lock, fencingToken }: Stay) {
    const at = this.#init.ledger.now()
    return { at, lock, peer: life.host.peer, life: life.number, token: fencingToken }
  }

  #judgeAlone(stay: Stay): void {
    for (const other of this.#stays.get(stay.lock) ?? []) {
      if (other === stay || !stillValid(other)) continue
      const names = [stay, other].map(({ life, fencingToken }) => `${life.host.name} (token ${fencingToken})`)
      this.#init.ledger.breach('one-holder', `${names.join(' and ')} both hold ${stay.lock}`)
    }
  }

  #judgeToken({ life, lock, fencingToken }: Stay): void {
    const { ledger, wild } = this.#init
    const name = `${lock} ${fencingToken}`
    if (this.#used.has(name)) {
      ledger.breach('token-once', `${life.host.name} enters ${lock} with token ${fencingToken} again`)
    }
    this.#used.add(name)
    const highest = this.#highest.get(lock) ?? 0
    if (!wild && fencingToken <= highest) {
      const message = `${life.host.name} enters ${lock} with ${fencingToken} after ${highest}`
      ledger.breach('tokens-increase', message)
    }
    this.#highest.set(lock, Math.max(highest, fencingToken))
  }

  /** Whoever runs is told before the votes can be over. */
  #watchEnd(stay: Stay): void {
    const { world, ledger, lostWithinMs } = this.#init
    const { life, until } = stay
    const at = trueTimeOf(life, until)
    if (!Number.isFinite(at)) return
    world.at(at + lostWithinMs, () => {
      if (stay.until !== until || this.#byLife.get(life)?.get(stay.token) !== stay) return
      if (stay.told || !life.process.alive || life.process.frozen) return
      if (clockOf(life) < until) return this.#watchEnd(stay)
      // Stopped meanwhile: it is told as soon as it runs.
      if (life.stoppedAt > at) return
      ledger.breach('lost-in-time', `${life.host.name} is not told that ${stay.lock} is lost`)
    })
  }
}

/** Who is stopped or asleep does nothing, but as long as its clock says so it would go on. */
function stillValid({ life, token }: Stay): boolean {
  if (!life.process.alive || life.host.clock.rate === 0) return false
  return isValid(life, life.core.validUntil(token))
}

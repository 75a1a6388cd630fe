import { encode, kinds, maxMembers, now } from './message.mjs'

/** Arrivals that are kept one by one. */
const maxArrivals = 20_000

/**
 * What one member published and was delivered in one phase, judged by a
 * happened-before of its own: each message tells which message it answers, and
 * how many of each member's its author had been delivered. What is delivered
 * after something that it happened before came in the wrong order.
 */
export class Ledger {
  #self
  #phase
  #published = []
  #inversions = 0
  #duplicates = 0
  #received
  /** Delivered of each member: so many without a hole, and those beyond it. */
  #prefix
  #beyond
  /** So many of each member's happened before something that is delivered. */
  #named
  /** Answered by something that is delivered, and not delivered themselves: `sender:seq`. */
  #answered = new Set()
  #newest
  #lastAt = 0
  #arrivals = []

  constructor(self, size, phase) {
    if (size > maxMembers) throw new RangeError(`at most ${maxMembers} members`)
    this.#self = self
    this.#phase = phase
    this.#received = new Array(size).fill(0)
    this.#prefix = new Array(size).fill(0)
    this.#named = new Array(size).fill(0)
    this.#beyond = Array.from({ length: size }, () => new Set())
  }

  get sent() {
    return this.#published.length
  }

  /** The next message to publish: it answers the newest delivery. */
  next() {
    this.#prefix[this.#self] = this.sent
    this.#published.push(now())
    return encode({
      kind: kinds.talk,
      sender: this.#self,
      phase: this.#phase,
      seq: this.sent,
      answers: this.#newest,
      upTo: this.#prefix,
    })
  }

  take(message, at) {
    const { sender, seq } = message
    if (this.#has(sender, seq)) {
      this.#duplicates += 1
      return
    }
    const answered = this.#answered.delete(`${sender}:${seq}`)
    if (answered || seq <= this.#named[sender]) this.#inversions += 1
    this.#note(message)
    this.#received[sender] += 1
    this.#newest = { sender, seq }
    this.#lastAt = at
    if (this.#arrivals.length < maxArrivals) this.#arrivals.push([sender, seq, at - message.publishedAt])
    const beyond = this.#beyond[sender].add(seq)
    while (beyond.delete(this.#prefix[sender] + 1)) this.#prefix[sender] += 1
  }

  /** `arrivals`: each as sender, seq and the ms since it was published. */
  report(arrivals) {
    return {
      phase: this.#phase,
      published: arrivals ? this.#published : undefined,
      received: this.#received,
      inversions: this.#inversions,
      duplicates: this.#duplicates,
      lastAt: this.#lastAt,
      arrivals: arrivals ? this.#arrivals : undefined,
    }
  }

  #has(sender, seq) {
    return seq <= this.#prefix[sender] || this.#beyond[sender].has(seq)
  }

  #note({ sender, seq, answers, upTo }) {
    for (let member = 0; member < this.#named.length; member++) {
      const count = member === sender ? seq : upTo(member)
      if (count > this.#named[member]) this.#named[member] = count
    }
    if (answers !== undefined && answers.sender !== this.#self && !this.#has(answers.sender, answers.seq)) {
      this.#answered.add(`${answers.sender}:${answers.seq}`)
    }
  }
}

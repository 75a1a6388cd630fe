// What each program here does, whatever carries its messages: it opens a peer, publishes when told to,
// judges what it is delivered, and tells it in JSON lines. Ours and the rival are measured by this very code.
//
//   {"do":"open","index":0,"size":2,"join":[…],"secret":"…","dataDir":"…","loss":0}    {"event":"open","addresses":[…]}
//   {"do":"meet"}                                   {"event":"met"} when everybody hears everybody
//   {"do":"talk","phase":1,"rate":20,"ms":4000}     {"event":"said","sent":80,"from":…}: so many a second
//   {"do":"flood","phase":2,"ms":3000,"window":64}  {"event":"said",…}: as fast as publish() resolves, so many at a time
//   {"do":"report","phase":2}                       {"event":"report",…}: see Ledger
//
// With `talk` in `open`, the peer talks from the moment it is open, whoever else is there; `said` is then asked for.
import { createInterface } from 'node:readline'
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import { Ledger } from './ledger.mjs'
import { loseMessages } from './loss.mjs'
import { encode, kinds, now, read } from './message.mjs'

const helloMs = 50

/** `carry(options, deliver)` opens a peer and gives `{ addresses, publish(bytes) }`. */
export function chat(carry) {
  const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`)
  let member
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      const command = JSON.parse(line)
      member ??= new Member(command, carry)
      member.take(command).then(say, fail)
    })
    // The bench needs it no more, or has ended, however it did.
    .once('close', () => process.exit(0))
}

function fail(error) {
  console.error(error)
  process.exit(1)
}

class Member {
  #options
  #carry
  #carrier
  #openedAt = 0
  #ledgers = new Map()
  #said
  #lost = []
  #heard = new Set()
  /** Those who say that they hear everybody. */
  #content = new Set()
  #hello

  constructor(options, carry) {
    this.#options = options
    this.#carry = carry
  }

  async take(command) {
    switch (command.do) {
      case 'open':
        return await this.#open()
      case 'meet':
        return await this.#meet()
      case 'talk':
        return await this.#talk(command)
      case 'said':
        return await this.#said
      case 'flood':
        return await this.#flood(command)
      case 'report':
        return this.#report(command)
    }
  }

  async #open() {
    const { loss, index, talk } = this.#options
    if (loss > 0) await loseMessages(loss, index, (bytes) => this.#lost.push(read(bytes)))
    this.#carrier = await this.#carry(this.#options, (bytes) => this.#deliver(bytes))
    this.#openedAt = now()
    if (talk !== undefined) this.#said = this.#talk(talk)
    return { event: 'open', addresses: this.#carrier.addresses }
  }

  /** Says hello until it hears everybody, and everybody says the same. */
  async #meet() {
    const others = this.#options.size - 1
    const hello = () =>
      this.#publish(
        encode({ kind: kinds.hello, sender: this.#options.index, seq: this.#heard.size === others ? 1 : 0 }),
      )
    while (this.#heard.size < others || this.#content.size < others) {
      hello()
      await delay(helloMs)
    }
    // For those who have not yet heard that this one is content.
    this.#hello = setInterval(hello, helloMs)
    return { event: 'met' }
  }

  async #talk({ phase, rate, ms, offsetMs = 0 }) {
    clearInterval(this.#hello)
    const ledger = this.#ledger(phase)
    await delay(offsetMs)
    const from = now()
    for (let due = from; due < from + ms; due += 1000 / rate) {
      const early = due - now()
      if (early > 0) await delay(early)
      this.#publish(ledger.next())
    }
    return { event: 'said', sent: ledger.sent, from }
  }

  /** `turnEvery`: for those whose publish() never waits for anything, so that they would not read meanwhile. */
  async #flood({ phase, ms, window, turnEvery = Number.POSITIVE_INFINITY }) {
    clearInterval(this.#hello)
    const ledger = this.#ledger(phase)
    const from = now()
    const publisher = async () => {
      while (now() < from + ms) {
        await this.#carrier.publish(ledger.next())
        if (ledger.sent % turnEvery === 0) await turn()
      }
    }
    await Promise.all(Array.from({ length: window }, publisher))
    return { event: 'said', sent: ledger.sent, from }
  }

  #publish(bytes) {
    this.#carrier.publish(bytes).catch(fail)
  }

  #deliver(bytes) {
    const at = now()
    const message = read(bytes)
    if (message === undefined || message.sender === this.#options.index) return
    if (message.kind === kinds.talk) this.#ledger(message.phase).take(message, at)
    else {
      this.#heard.add(message.sender)
      if (message.seq === 1) this.#content.add(message.sender)
    }
  }

  #report({ phase, arrivals = false }) {
    const { index } = this.#options
    const lost = this.#lost.flatMap((message) =>
      message?.kind === kinds.talk && message.phase === phase && message.sender === index
        ? [message.seq]
        : [],
    )
    return { event: 'report', openedAt: this.#openedAt, lost, ...this.#ledger(phase).report(arrivals) }
  }

  #ledger(phase) {
    const ledger = this.#ledgers.get(phase) ?? new Ledger(this.#options.index, this.#options.size, phase)
    this.#ledgers.set(phase, ledger)
    return ledger
  }
}

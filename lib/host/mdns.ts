import { randomBytes } from 'node:crypto'
import type { MulticastDNS, QueryPacket, ResponsePacket } from 'multicast-dns'
import type { PeerId } from '../protocols/core.ts'
import { answersOf, type Neighbour, neighboursIn, serviceOf } from './mdns-answers.ts'

export interface MdnsInit {
  readonly self: PeerId
  /** The cluster's id. */
  readonly cluster: string
  /** Where others should dial this peer, now; without `/p2p/ID`. */
  readonly addresses: () => readonly string[]
  /** Somebody on the local network says that it is that peer and is reached there. Anybody can say so. */
  readonly found: (neighbour: Neighbour) => void
  /** Discovery does not work. */
  readonly trouble: (error: unknown) => void
  /** Instead of 5353. */
  readonly port?: number
  /** An address of the one interface to use; all by default. */
  readonly interface?: string
}

/** After the start, ms: the first answers may be lost. */
const firstQueriesMs = [0, 1000, 3000] as const
/** Then this often, ms, unless somebody else has asked meanwhile: answers go to all. */
const queryIntervalMs = 60_000
/** Between two answers of ours, ms, however often we are asked. */
const answerIntervalMs = 1000
/** Not all at once, RFC 6762 §6. */
const answerWithinMs = { least: 20, most: 120 } as const
/** Neighbours that are told of in one window, of all machines and of one. */
const windowMs = 10_000
const maxFound = 64
const maxFoundEach = 16

/**
 * Finds peers of the same cluster on the local network, and lets them find this one,
 * by multicast DNS. With n peers an idle network carries one question and n answers a minute.
 */
export class Mdns {
  readonly #init: MdnsInit
  readonly #service: string
  readonly #instance = randomBytes(8).toString('hex')
  readonly #timers = new Set<NodeJS.Timeout>()
  #dns: MulticastDNS | undefined
  #stopped = false
  #askedAt = Number.NEGATIVE_INFINITY
  #answeredAt = Number.NEGATIVE_INFINITY
  #windowAt = Number.NEGATIVE_INFINITY
  #found = 0
  readonly #foundEach = new Map<string, number>()

  constructor(init: MdnsInit) {
    this.#init = init
    this.#service = serviceOf(init.cluster)
  }

  /** Never throws; what fails is told to `trouble`. */
  start(): void {
    this.#open().catch(this.#init.trouble)
  }

  stop(): void {
    this.#stopped = true
    for (const timer of this.#timers) clearTimeout(timer)
    this.#dns?.destroy()
  }

  async #open(): Promise<void> {
    const { default: multicastDns } = await import('multicast-dns')
    if (this.#stopped) return
    const { port = 5353, interface: only, trouble } = this.#init
    // Bound to all addresses: what is bound to one gets no multicast.
    const dns = multicastDns({ port, bind: '0.0.0.0', ...(only === undefined ? {} : { interface: only }) })
    this.#dns = dns
    dns.on('error', trouble)
    // Of other people's packets, and of interfaces that come and go.
    dns.on('warning', () => {})
    dns.on('query', (packet) => this.#asked(packet))
    dns.on('response', (packet, { address }) => this.#answered(packet, address))
    for (const ms of firstQueriesMs) this.#later(ms, () => this.#ask())
    this.#askAgain()
  }

  #askAgain(): void {
    this.#later(queryIntervalMs * (0.75 + 0.5 * Math.random()), () => {
      if (performance.now() - this.#askedAt > queryIntervalMs / 2) this.#ask()
      this.#askAgain()
    })
  }

  #ask(): void {
    this.#dns?.query({ questions: [{ name: this.#service, type: 'PTR' }] })
  }

  #asked({ questions = [] }: QueryPacket): void {
    if (!questions.some(({ name, type }) => name === this.#service && type === 'PTR')) return
    const now = performance.now()
    this.#askedAt = now
    if (now - this.#answeredAt < answerIntervalMs) return
    this.#answeredAt = now
    const { least, most } = answerWithinMs
    this.#later(least + Math.random() * (most - least), () => {
      const addresses = this.#init.addresses()
      if (addresses.length === 0) return
      this.#dns?.respond({ answers: answersOf(this.#service, this.#instance, this.#init.self, addresses) })
    })
  }

  #answered({ answers = [], additionals = [] }: ResponsePacket, source: string): void {
    for (const neighbour of neighboursIn([...answers, ...additionals], this.#service, source)) {
      if (neighbour.peer !== this.#init.self && this.#mayTell(source)) this.#init.found(neighbour)
    }
  }

  #mayTell(source: string): boolean {
    const now = performance.now()
    if (now - this.#windowAt > windowMs) {
      this.#windowAt = now
      this.#found = 0
      this.#foundEach.clear()
    }
    const each = this.#foundEach.get(source) ?? 0
    if (this.#found >= maxFound || each >= maxFoundEach) return false
    this.#found += 1
    this.#foundEach.set(source, each + 1)
    return true
  }

  #later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    timer.unref()
    this.#timers.add(timer)
  }
}

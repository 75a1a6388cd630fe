import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Waiter {
  readonly daemon: FakeLockDaemon
  readonly response: ServerResponse
  readonly session: string
}

/** Daemons that share one lock: first come, first served, as long as nobody breaks it on purpose. */
export class FakeLocks {
  readonly daemons: readonly FakeLockDaemon[]
  leaseMs = 300
  /** Nobody gets the lock, and everybody is told so. */
  quorum = true
  /** Whoever asks gets it, as if nobody held it. */
  broken = false
  token = 0
  /** Of each new holder. */
  step = 1
  readonly #queue: Waiter[] = []
  readonly #holders = new Set<Waiter>()
  #sessions = 0

  private constructor(size: number) {
    this.daemons = Array.from({ length: size }, (_, index) => new FakeLockDaemon(`n${index + 1}`, this))
  }

  static async open(size: number): Promise<FakeLocks> {
    const fake = new FakeLocks(size)
    for (const daemon of fake.daemons) await daemon.listen()
    return fake
  }

  daemon(name: string): FakeLockDaemon {
    const found = this.daemons.find((daemon) => daemon.name === name)
    if (found === undefined) throw new Error(`there is no ${name}`)
    return found
  }

  get waiting(): number {
    return this.#queue.length
  }

  ask(daemon: FakeLockDaemon, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    if (!this.quorum) {
      send(response, 'error', { code: 'ERR_NO_QUORUM', message: 'too few voters answer' })
      return void response.end()
    }
    const waiter = { daemon, response, session: `s${++this.#sessions}` }
    this.#queue.push(waiter)
    response.on('close', () => this.#leave(waiter))
    this.#serve()
  }

  /** False for a session that is over. */
  holds(session: string): boolean {
    return [...this.#holders].some((holder) => holder.session === session)
  }

  release(session: string): void {
    for (const holder of this.#holders) {
      if (holder.session !== session) continue
      this.#holders.delete(holder)
      holder.response.end()
    }
    this.#serve()
  }

  /** What a lease is for: the lock of one that was killed is free once it has run out. */
  expire(daemon: FakeLockDaemon): void {
    for (const holder of [...this.#holders]) {
      if (holder.daemon !== daemon) continue
      setTimeout(() => {
        this.#holders.delete(holder)
        this.#serve()
      }, this.leaseMs)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.daemons.map((daemon) => daemon.close()))
  }

  #leave(waiter: Waiter): void {
    const place = this.#queue.indexOf(waiter)
    if (place >= 0) this.#queue.splice(place, 1)
    else if (waiter.daemon.running) this.release(waiter.session)
  }

  #serve(): void {
    if (this.#holders.size > 0 && !this.broken) return
    const next = this.#queue.shift()
    if (next === undefined) return
    this.#holders.add(next)
    this.token += this.step
    const { leaseMs, token } = this
    const held = { lock: 'door', token, leaseMs, session: next.session, validForMs: leaseMs }
    send(next.response, 'held', held)
    if (this.broken) this.#serve()
  }
}

/** The routes of locks as a daemon has them, over a socket of its own. */
export class FakeLockDaemon {
  readonly name: string
  readonly dataDir = mkdtempSync(join(tmpdir(), 'p2pd-fake-'))
  lives = 1
  running = true
  readonly #locks: FakeLocks
  readonly #server: Server

  constructor(name: string, locks: FakeLocks) {
    this.name = name
    this.#locks = locks
    this.#server = createServer((request, response) => this.#serve(request, response))
  }

  async listen(): Promise<void> {
    this.#server.listen(join(this.dataDir, 'control.sock'))
    await once(this.#server, 'listening')
  }

  /** SIGKILL. */
  kill(): void {
    this.running = false
    this.#locks.expire(this)
    this.#server.closeAllConnections()
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
    rmSync(this.dataDir, { recursive: true })
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    if (!this.running) return void request.destroy()
    request.resume()
    const [, , what, session = '', act] = (request.url ?? '').split('/')
    if (what === 'locks') return this.#locks.ask(this, response)
    if (!this.#locks.holds(session)) {
      return answer(response, 409, {
        error: { code: 'ERR_LOCK_SESSION', message: 'there is no such session' },
      })
    }
    if (act === 'heartbeat') return answer(response, 200, { validForMs: this.#locks.leaseMs })
    this.#locks.release(session)
    answer(response, 200, { released: true })
  }
}

function answer(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}

function send(response: ServerResponse, event: string, data: object): void {
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}

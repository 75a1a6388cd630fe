import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControlClient } from '../../../daemon/client/client.ts'
import type { Participant } from '../../../testnet/cluster/groups.ts'

interface Line {
  readonly sender: string
  readonly epoch: number
  readonly seq: number
  readonly lamport: number
  readonly vector: Record<string, number>
  readonly data: string
}

/** Daemons that share one group, and lose nothing unless the test wants it. */
export class FakeGroup {
  readonly daemons: readonly FakeDaemon[]

  private constructor(daemons: readonly FakeDaemon[]) {
    this.daemons = daemons
  }

  static async open(size: number): Promise<FakeGroup> {
    const daemons = Array.from({ length: size }, (_, index) => new FakeDaemon(`n${index + 1}`))
    for (const daemon of daemons) {
      daemon.others = daemons.filter((other) => other !== daemon)
      await daemon.listen()
    }
    return new FakeGroup(daemons)
  }

  daemon(name: string): FakeDaemon {
    const found = this.daemons.find((daemon) => daemon.name === name)
    if (found === undefined) throw new Error(`there is no ${name}`)
    return found
  }

  async close(): Promise<void> {
    await Promise.all(this.daemons.map((daemon) => daemon.close()))
  }
}

/** The routes of groups as a daemon has them, over a socket of its own. */
export class FakeDaemon {
  readonly name: string
  readonly dataDir = mkdtempSync(join(tmpdir(), 'p2pd-fake-'))
  readonly client: ControlClient = ControlClient.open(this.dataDir)
  others: readonly FakeDaemon[] = []
  lives = 1
  running = true
  /** Publications are logged, and never answered. */
  silent = false
  /** What comes from others waits here while there is a list. */
  held: Line[] | undefined
  readonly #server: Server
  readonly #open = new Set<ServerResponse>()
  readonly #missed: Line[] = []
  #log: Line[] = []
  #vector: Record<string, number> = {}
  #lamport = 0
  #seq = 0

  constructor(name: string) {
    this.name = name
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  get id(): string {
    return `id-${this.name}`
  }

  get participant(): Participant {
    const { name, lives, client } = this
    return { name, lives, generation: this.epoch, client }
  }

  get epoch(): number {
    return 100 + this.lives
  }

  async listen(): Promise<void> {
    this.#server.listen(join(this.dataDir, 'control.sock'))
    await once(this.#server, 'listening')
  }

  /** SIGKILL: what others say meanwhile waits for its return. */
  kill(): void {
    this.running = false
    this.hangUp()
    this.#server.closeAllConnections()
  }

  /** On its disk, which knows what was delivered; with a new and empty log. */
  return(): void {
    this.running = true
    this.lives++
    this.#seq = 0
    this.#log = []
    for (const line of this.#missed.splice(0)) this.#deliver(line)
  }

  hangUp(): void {
    for (const response of this.#open) response.destroy()
    this.#open.clear()
  }

  release(): void {
    const lines = this.held ?? []
    this.held = undefined
    for (const line of lines) this.#deliver(line)
  }

  publish(data: string): Line {
    const { id: sender, epoch } = this
    const seq = ++this.#seq
    const vector = { ...this.#vector, [`${sender}#${epoch}`]: seq }
    const line = { sender, epoch, seq, lamport: this.#lamport + 1, vector, data }
    this.#deliver(line)
    for (const other of this.others) other.receive(line)
    return line
  }

  receive(line: Line): void {
    if (!this.running) this.#missed.push(line)
    else if (this.held !== undefined) this.held.push(line)
    else this.#deliver(line)
  }

  notice(event: string, fields: object): void {
    for (const response of this.#open) this.#send(response, event, { event, group: 'all', ...fields })
  }

  async close(): Promise<void> {
    this.hangUp()
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
    rmSync(this.dataDir, { recursive: true })
  }

  #deliver(line: Line): void {
    for (const [entry, count] of Object.entries(line.vector)) {
      this.#vector[entry] = Math.max(count, this.#vector[entry] ?? 0)
    }
    this.#lamport = Math.max(this.#lamport, line.lamport)
    this.#log.push(line)
    for (const response of this.#open) this.#sendLine(response, this.#log.length - 1)
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.running) return void request.destroy()
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
    if (pathname === '/v1/groups') return this.#answer(response, { groups: [this.#row()] })
    if (pathname === '/v1/clock') return this.#answer(response, { vector: this.#vector })
    if (request.method === 'POST') {
      let body = ''
      for await (const chunk of request) body += chunk
      const line = this.publish(JSON.parse(body).data)
      if (!this.silent) this.#answer(response, { group: 'all', ...line })
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    const from = searchParams.get('from') ?? 'latest'
    const first = from === 'earliest' ? 0 : Number(from) + 1
    for (let index = first; index < this.#log.length; index++) this.#sendLine(response, index)
    this.#open.add(response)
  }

  #row(): object {
    return { name: 'all', joined: true, ready: true, delivered: this.#log.length }
  }

  #answer(response: ServerResponse, value: object): void {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(value))
  }

  #sendLine(response: ServerResponse, index: number): void {
    const line = {
      group: 'all',
      ...this.#log[index],
      index,
      cursor: String(index),
      encoding: 'utf8',
      hlc: null,
    }
    this.#send(response, 'message', line)
  }

  #send(response: ServerResponse, event: string, data: object): void {
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }
}

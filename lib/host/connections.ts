import './with-resolvers.ts'
import type { Connection } from '@libp2p/interface'
import type { PeerId } from '../protocols/core.ts'
import type { Counters } from './counters.ts'
import { hasCode } from './key-file.ts'
import type { Node } from './node.ts'

export type ClosedBy = 'remote' | 'local'

export interface ConnectionEvents {
  /** The first connection to `peer` is open. */
  readonly connected: (peer: PeerId) => void
  /** The last one is gone; `remote` when a FIN or RST was received. */
  readonly disconnected: (peer: PeerId, closedBy: ClosedBy) => void
  /** The connections of `peer` have changed. */
  readonly changed: (peer: PeerId) => void
}

/**
 * A connection that has lasted this long is not the double of a crossing dial
 * that is about to be closed: links may move to it, and a second one may go.
 */
export const settledMs = 1000

/**
 * The open connections by peer, oldest first, and why the last one closed.
 *
 * Two peers that dial each other at once end up with two connections. Only the
 * peer with the lower id closes one of them, so that both cannot; it keeps the
 * newest, because an older one may be cut without anybody knowing.
 */
export class Connections {
  readonly #node: Node
  readonly #self: PeerId
  readonly #events: ConnectionEvents
  readonly #counters: Counters
  readonly #open = new Map<PeerId, Connection[]>()
  readonly #closedByUs = new WeakSet<Connection>()
  /** A close waits for the other side, which may be cut off: a second, with the connection open all the time. */
  readonly #closing = new WeakSet<Connection>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #stopped = false

  constructor(node: Node, self: PeerId, counters: Counters, events: ConnectionEvents) {
    this.#node = node
    this.#self = self
    this.#counters = counters
    this.#events = events
  }

  start(): void {
    this.#node.watch((connection) => this.#opened(connection))
  }

  /** No more events; closing what is open is the node's. */
  stop(): void {
    this.#stopped = true
    this.#node.watch(undefined)
    for (const timer of this.#timers) clearTimeout(timer)
  }

  /** Oldest first. */
  of(peer: PeerId): readonly Connection[] {
    return (this.#open.get(peer) ?? []).filter((connection) => connection.status === 'open')
  }

  /** Of those the ones that we are not about to close, as long as there is one. */
  usable(peer: PeerId): readonly Connection[] {
    const open = this.of(peer)
    const staying = open.filter((connection) => !this.#closing.has(connection))
    return staying.length > 0 ? staying : open
  }

  peers(): readonly PeerId[] {
    return [...this.#open.keys()]
  }

  get count(): number {
    return [...this.#open.values()].reduce((sum, connections) => sum + connections.length, 0)
  }

  /** Lets what was sent arrive, then closes; reported as closed by us. */
  close(connection: Connection): void {
    this.#closedByUs.add(connection)
    this.#closing.add(connection)
    if (this.#node.letGo(connection)) {
      this.#gone(connection)
      return
    }
    if (!this.#stopped) this.#events.changed(connection.remotePeer.toString() as PeerId)
    connection.close().catch((error: Error) => connection.abort(error))
  }

  /** The other side was asked to close it, so that it does is reported as closed by us; until it is taken back. */
  expectClose(connection: Connection): () => void {
    this.#closedByUs.add(connection)
    return () => {
      if (connection.status === 'open') this.#closedByUs.delete(connection)
    }
  }

  /** Cuts all connections to `peer` at once; reported as closed by us. */
  abort(peer: PeerId, reason: Error): void {
    for (const connection of [...(this.#open.get(peer) ?? [])]) {
      this.#closedByUs.add(connection)
      if (this.#node.letGo(connection)) this.#gone(connection)
      else connection.abort(reason)
    }
  }

  #opened(connection: Connection): void {
    const peer = connection.remotePeer.toString() as PeerId
    if (connection.status !== 'open') return
    this.#closedByUs.delete(connection)
    this.#counters.connectionsOpened += 1
    const connections = this.#open.get(peer) ?? []
    connections.push(connection)
    this.#open.set(peer, connections)
    // `connection:close` does not say why; the connection's own event does.
    connection.addEventListener('close', (event) => this.#gone(connection, event.error), { once: true })
    // The links first: what the core says at once must find one.
    this.#events.changed(peer)
    if (connections.length === 1) this.#events.connected(peer)
    if (connections.length > 1) this.#later(() => this.#settled(peer, connection))
  }

  /** Closed, or let go of before. */
  #gone(connection: Connection, error?: Error): void {
    const peer = connection.remotePeer.toString() as PeerId
    const open = this.#open.get(peer) ?? []
    const left = open.filter((other) => other !== connection)
    if (left.length === open.length) return
    this.#counters.connectionsClosed += 1
    if (left.length > 0) this.#open.set(peer, left)
    else this.#open.delete(peer)
    if (this.#stopped) return
    this.#events.changed(peer)
    if (left.length === 0) {
      this.#events.disconnected(peer, this.#closedByUs.has(connection) ? 'local' : closedBy(error))
    }
  }

  #settled(peer: PeerId, connection: Connection): void {
    if (connection.status !== 'open') return
    this.#events.changed(peer)
    if (this.#self > peer) return
    const older = this.of(peer).slice(0, -1)
    this.#later(() => {
      for (const other of older) if (this.of(peer).length > 1) this.close(other)
    })
  }

  #later(run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, settledMs)
    timer.unref()
    this.#timers.add(timer)
  }
}

/**
 * Whose doing it was, when it was not ours. libp2p reports a received FIN
 * without an error and a received RST as a *local* abort whose error is the
 * socket's; time-outs and protocol errors are local aborts too.
 */
export function closedBy(error: Error | undefined): ClosedBy {
  if (error === undefined) return 'remote'
  return hasCode(error, 'ECONNRESET') || hasCode(error, 'EPIPE') ? 'remote' : 'local'
}

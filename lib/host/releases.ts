import './with-resolvers.ts'
import type { Connection } from '@libp2p/interface'
import type { PeerId } from '../protocols/core.ts'
import type { Connections } from './connections.ts'
import type { Gossip } from './gossip.ts'
import type { Links } from './links.ts'
import type { Node } from './node.ts'

const releaseProtocol = '/p2pd/release/1'
/** What was sent or taken so lately may have an answer that needs no new handshake. */
const usedWithinMs = 30_000
const defaultLookMs = 5000
const askWithinMs = 5000

export interface ReleasesInit {
  readonly node: Node
  readonly connections: Connections
  readonly links: Links
  readonly gossip: Gossip
  /** Somebody else here waits for that peer, as a ping does. */
  readonly isNeeded: (peer: PeerId) => boolean
  /** Between two looks at connections that are to go and are still used; 5 s by default. */
  readonly lookMs?: number
}

/**
 * Ends connections that were made for an answer and are of no more use to either side.
 *
 * The other side is asked, and closes: so neither takes the end for a death, and
 * neither loses what it uses. A connection is used while it is in a mesh of gossip,
 * while frames other than membership's went over it within half a minute, or
 * somebody waits for an answer; then it is looked at again, until it is wanted after all.
 */
export class Releases {
  readonly #init: ReleasesInit
  readonly #leaving = new Set<PeerId>()
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(init: ReleasesInit) {
    this.#init = init
  }

  /** Lets others ask. */
  async start(): Promise<void> {
    await this.#init.node.handle(
      releaseProtocol,
      (stream, connection) => {
        const peer = connection.remotePeer.toString() as PeerId
        stream.close().catch((error: Error) => stream.abort(error))
        if (!this.#isUsed(peer)) this.#init.connections.close(connection)
      },
      { maxInboundStreams: 1 },
    )
  }

  /** As soon as nobody uses them; forgotten when there is none left. */
  release(peer: PeerId): void {
    if (this.#stopped || this.#init.connections.of(peer).length === 0) return
    this.#leaving.add(peer)
    this.#try(peer)
    this.#timer ??= setInterval(() => this.#look(), this.#init.lookMs ?? defaultLookMs).unref()
  }

  /** It is wanted again. */
  keep(peer: PeerId): void {
    this.#leaving.delete(peer)
  }

  stop(): void {
    this.#stopped = true
    this.#leaving.clear()
    clearInterval(this.#timer)
  }

  #look(): void {
    for (const peer of this.#leaving) this.#try(peer)
    if (this.#leaving.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #try(peer: PeerId): void {
    const { connections } = this.#init
    const open = connections.of(peer)
    if (open.length === 0) this.#leaving.delete(peer)
    else if (!this.#isUsed(peer)) for (const connection of open) void this.#ask(connection)
  }

  #isUsed(peer: PeerId): boolean {
    const { links, gossip, isNeeded } = this.#init
    return isNeeded(peer) || links.usedAt(peer) > performance.now() - usedWithinMs || gossip.isMeshed(peer)
  }

  async #ask(connection: Connection): Promise<void> {
    const { connections } = this.#init
    const takeBack = connections.expectClose(connection)
    try {
      const signal = AbortSignal.timeout(askWithinMs)
      const stream = await connection.newStream(releaseProtocol, { signal })
      await stream.close({ signal })
    } catch (error) {
      // It knows nothing of this, or is closed already.
      if (error instanceof Error && error.name === 'UnsupportedProtocolError') connections.close(connection)
    } finally {
      setTimeout(takeBack, askWithinMs).unref()
    }
  }
}

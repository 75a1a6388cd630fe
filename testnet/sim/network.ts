import type { PeerId } from '../../lib/protocols/core.ts'
import { Connection, type End, type Endpoint, type NetworkNode, type Transport } from './connection.ts'
import type { LinkOptions } from './links.ts'
import { Links } from './links.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

export interface NetworkOptions extends LinkOptions {
  readonly transport: Transport
}

export type ConnectResult =
  | { readonly type: 'open'; readonly end: End; readonly peer: PeerId }
  | {
      readonly type: 'failed'
      /** `unanswered`: a kernel took the connect, and then nobody said anything. */
      readonly reason: 'refused' | 'timeout' | 'unanswered' | 'unreachable' | 'other-identity' | 'self'
    }

/** Who listens where, and the connections between them. */
export class Network {
  readonly links: Links
  readonly transport: Transport
  readonly #world: World
  readonly #listeners = new Map<string, NetworkNode>()
  #connections = 0

  constructor(world: World, random: Random, options: NetworkOptions) {
    this.#world = world
    this.links = new Links(random, options)
    this.transport = options.transport
  }

  bind(address: string, node: NetworkNode): void {
    this.#listeners.set(address, node)
  }

  unbind(address: string): void {
    this.#listeners.delete(address)
  }

  /**
   * A fresh connection to whoever listens at `address`. Refused when the machine
   * is up and no process is; taken and then unanswered when the process is
   * stopped; no answer at all while the way is cut or the machine is off or
   * stands still.
   *
   * @param welcome asked once the handshake tells who is there; false closes.
   */
  connect(
    from: Endpoint,
    address: string,
    timeoutMs: number,
    welcome: (peer: PeerId) => boolean,
    done: (result: ConnectResult) => void,
  ): void {
    const node = this.#listeners.get(address)
    if (node === undefined) {
      this.#world.after(timeoutMs, () => from.schedule(() => done({ type: 'failed', reason: 'timeout' })))
      return
    }
    let settled = false
    const settle = (result: ConnectResult): void => {
      if (settled) return
      settled = true
      done(result)
    }
    const connection = new Connection(this.#world, this.links, {
      order: this.#connections++,
      from,
      to: node,
      transport: this.transport,
      welcome: (peer) => {
        if (peer === undefined) return false
        const reason = peer === from.peer ? 'self' : welcome(peer) ? undefined : 'other-identity'
        if (reason !== undefined) settle({ type: 'failed', reason })
        return reason === undefined
      },
    })
    const end = connection.dialler
    end.settled = (failure) => {
      if (failure !== undefined) settle({ type: 'failed', reason: failure })
      else settle({ type: 'open', end, peer: end.remotePeer as PeerId })
    }
    this.#world.after(timeoutMs, () =>
      from.schedule(() => {
        if (settled) return
        const reason = end.accepted ? 'unanswered' : 'timeout'
        end.close()
        settle({ type: 'failed', reason })
      }),
    )
    end.dial()
  }
}

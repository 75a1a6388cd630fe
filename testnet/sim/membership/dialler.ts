import type {
  DialFailure,
  DialOutcome,
  KnockOutcome,
  MembershipCommand,
  MembershipEvent,
  MembershipRequest,
  Packet,
} from '../../../lib/protocols/membership/messages.ts'
import type { End } from '../connection.ts'
import type { Network } from '../network.ts'
import type { Process } from '../process.ts'
import type { World } from '../world.ts'

export type MemberProcess = Process<Packet, MembershipCommand, MembershipEvent, MembershipRequest>

type Dial = Extract<MembershipRequest, { type: 'dial' }>
type Knock = Extract<MembershipRequest, { type: 'knock' }>

/** Carries out membership's requests on the simulated network, as the real host does on libp2p. */
export class Dialler {
  readonly #world: World
  readonly #network: Network

  constructor(world: World, network: Network) {
    this.#world = world
    this.#network = network
  }

  request(request: MembershipRequest, process: MemberProcess): void {
    switch (request.type) {
      case 'dial':
        return this.#dial(request, process)
      case 'knock':
        return this.#knock(request, process)
      default:
        request satisfies never
    }
  }

  #dial(dial: Dial, process: MemberProcess): void {
    const { id, peer } = dial
    const reused = peer === undefined || dial.mode !== 'connect' ? undefined : process.connectionsTo(peer)[0]
    if (peer !== undefined && reused !== undefined) {
      process.command({ type: 'dialled', id, outcome: { type: 'connected', peer, address: undefined } })
      return
    }
    const until = this.#world.now + dial.timeoutMs
    this.#tryAddresses(dial, process, [...dial.addresses], until, 'unreachable', (outcome) => {
      process.command({ type: 'dialled', id, outcome })
    })
  }

  /** One after the other, as libp2p does, until one answers or the time is up. */
  #tryAddresses(
    dial: Dial,
    process: MemberProcess,
    addresses: string[],
    until: number,
    lastFailure: DialFailure,
    done: (outcome: DialOutcome) => void,
  ): void {
    const address = addresses.shift()
    const leftMs = until - this.#world.now
    if (address === undefined || leftMs <= 0) return done({ type: 'failed', reason: lastFailure })
    const wanted = dial.peer
    const welcome = (peer: string) => wanted === undefined || peer === wanted
    this.#network.connect(process, address, leftMs, welcome, (result) => {
      if (result.type === 'failed') {
        this.#tryAddresses(dial, process, addresses, until, result.reason, done)
        return
      }
      this.#tidy(dial, process, result.end)
      done({ type: 'connected', peer: result.peer, address })
    })
  }

  #tidy(dial: Dial, process: MemberProcess, fresh: End): void {
    if (fresh.remotePeer === undefined) return
    const others = process.connectionsTo(fresh.remotePeer).filter((end) => end !== fresh)
    if (dial.mode === 'replace') for (const old of others) old.close()
    else if (dial.mode === 'verify' && others.length > 0) fresh.close()
  }

  #knock(knock: Knock, process: MemberProcess): void {
    const answer = (outcome: KnockOutcome) => process.command({ type: 'knocked', id: knock.id, outcome })
    this.#network.connect(
      process,
      knock.address,
      knock.timeoutMs,
      () => true,
      (result) => {
        if (result.type === 'open') {
          result.end.close()
          return answer(result.peer === knock.peer ? 'answered' : 'other-identity')
        }
        if (result.reason === 'refused') return answer('refused')
        answer(result.reason === 'self' ? 'other-identity' : 'inconclusive')
      },
    )
  }
}

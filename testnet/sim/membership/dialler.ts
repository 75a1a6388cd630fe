import type { PeerId } from '../../../lib/protocols/core.ts'
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

  /** @param answered called once, when the outcome is on its way to the core */
  request(request: MembershipRequest, process: MemberProcess, answered: () => void): void {
    const answer = (command: MembershipCommand) => {
      answered()
      process.command(command)
    }
    switch (request.type) {
      case 'dial':
        return this.#dial(request, process, answer)
      case 'knock':
        return this.#knock(request, process, answer)
      case 'release':
        for (const end of [...process.connectionsTo(request.peer)]) end.close()
        return answered()
      default:
        request satisfies never
    }
  }

  #dial(dial: Dial, process: MemberProcess, answer: (command: MembershipCommand) => void): void {
    const { id, peer } = dial
    const reused = peer === undefined || dial.mode !== 'connect' ? undefined : process.connectionsTo(peer)[0]
    if (peer !== undefined && reused !== undefined) {
      return answer({ type: 'dialled', id, outcome: { type: 'connected', peer, address: undefined } })
    }
    const before = peer === undefined ? [] : process.connectionsTo(peer)
    const until = this.#world.now + dial.timeoutMs
    this.#tryAddresses(dial, process, [...dial.addresses], until, 'unreachable', (outcome, fresh) => {
      if (fresh !== undefined) this.#tidy(dial, fresh, before)
      answer({ type: 'dialled', id, outcome })
    })
  }

  /** One after the other, as libp2p does, until one answers or the time is up. */
  #tryAddresses(
    dial: Dial,
    process: MemberProcess,
    addresses: string[],
    until: number,
    lastFailure: DialFailure,
    done: (outcome: DialOutcome, fresh?: End) => void,
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
      done({ type: 'connected', peer: result.peer, address }, result.end)
    })
  }

  /** Only connections older than the dial are compared with: two peers that dial each other must not close both. */
  #tidy(dial: Dial, fresh: End, before: readonly End[]): void {
    const older = before.filter((end) => end.state === 'open' && end !== fresh)
    if (dial.mode === 'replace') for (const old of older) old.close()
  }

  /** Ends as soon as the handshake tells who answers: the other side never has a connection. */
  #knock(knock: Knock, process: MemberProcess, answered: (command: MembershipCommand) => void): void {
    let met: PeerId | undefined
    const answer = (outcome: KnockOutcome) => answered({ type: 'knocked', id: knock.id, outcome })
    const meet = (peer: PeerId) => {
      met = peer
      return false
    }
    this.#network.connect(process, knock.address, knock.timeoutMs, meet, (result) => {
      if (result.type === 'open') return answer('inconclusive')
      if (result.reason === 'refused') return answer('refused')
      if (met !== undefined) return answer(met === knock.peer ? 'answered' : 'other-identity')
      answer(result.reason === 'self' ? 'other-identity' : 'inconclusive')
    })
  }
}

import type { PeerId } from '../../../lib/protocols/core.ts'
import type { ElectorateView } from '../../../plugins/mutex/core/electorate/messages.ts'
import type { MutexCommand, MutexEvent, VoteConflict } from '../../../plugins/mutex/core/messages.ts'
import { MutexService, type MutexServiceInit } from '../../../plugins/mutex/service.ts'
import type { Clocks } from '../../../plugins/mutex/suspend-watch.ts'

type Of<Type extends MutexCommand['type']> = Extract<MutexCommand, { readonly type: Type }>

export const [self, other, third] = [
  '12D3KooWLfgaUgt73MXnQ2rgtxTdogMXjycySZKvJpJGD156iC1y',
  '12D3KooWMAcHkrkT6L3RVCGETCuHMLpZUv7D2tXfdhHVWesGiL1L',
  '12D3KooW9ur77kEjK8Dy7PhpC569WfnCBH1b2BLmyLp18c15W2Hq',
] as unknown as readonly [PeerId, PeerId, PeerId]

/** A service over a core that does what the test says. */
export class FakeCore {
  readonly commands: MutexCommand[] = []
  readonly struck: PeerId[] = []
  readonly troubles: unknown[] = []
  readonly valid = new Map<number, number>()
  readonly service: MutexService
  /** Called with each command, when it is given. */
  answer: (command: MutexCommand) => void = () => {}
  electorate: ElectorateView = {
    id: 'e' as ElectorateView['id'],
    version: 3,
    founder: self,
    maxLeaseMs: 20_000,
    voters: [self, other, third].map((peer) => ({ peer, answering: true })),
    reachable: true,
    self: 'serving',
    abstainsForMs: 0,
    void: undefined,
    conflict: undefined,
    change: undefined,
  }

  constructor(clocks?: Clocks, change: Partial<MutexServiceInit> = {}) {
    this.service = new MutexService({
      self,
      config: { leaseMs: 10_000, maxLeaseMs: 60_000 },
      core: {
        view: () => this.electorate,
        validUntil: (token) => this.valid.get(token),
        conflicts: (): readonly VoteConflict[] => [],
      },
      command: (command) => {
        this.commands.push(command)
        this.answer(command)
      },
      nameOf: (peer) => (peer === other ? 'berta' : undefined),
      strike: (peer) => this.struck.push(peer),
      trouble: (error) => this.troubles.push(error),
      ...(clocks === undefined ? {} : { clocks }),
      ...change,
    })
  }

  start(): this {
    this.service.start(7, [])
    return this
  }

  emit(event: MutexEvent): void {
    this.service.emitted(event)
  }

  /** The last command of that type. */
  last<Type extends MutexCommand['type']>(type: Type): Of<Type> {
    const found = this.commands.findLast((command): command is Of<Type> => command.type === type)
    if (found === undefined) throw new Error(`no command ${type}`)
    return found
  }

  all<Type extends MutexCommand['type']>(type: Type): readonly Of<Type>[] {
    return this.commands.filter((command): command is Of<Type> => command.type === type)
  }

  /** Grants the last request, for so long. */
  grant(fencingToken = 1, forMs = 5000): number {
    const { token } = this.last('acquire')
    const validUntil = performance.now() + forMs
    this.valid.set(token, validUntil)
    this.emit({ type: 'acquired', token, fencingToken, validUntil, version: 1 })
    return token
  }
}

import type { Core, Effect, Input, Instant, PeerId } from '../../../lib/protocols/core.ts'
import type { Frame, MutexCommand, MutexEvent, MutexRequest } from '../../../plugins/mutex/core/messages.ts'
import { clockOf, type Life, trueTimeOf } from './lock-host.ts'

export type LockEffect = Effect<Frame, MutexEvent, MutexRequest>

export interface WitnessPort {
  received(life: Life, from: PeerId, frame: Frame): void
  decided(life: Life, effects: readonly LockEffect[]): void
}

/**
 * A core as its process runs it: shown the machine's own clock, and looked at
 * before and after each step.
 */
export class Witness implements Core<Frame, MutexCommand, MutexEvent, MutexRequest> {
  readonly #life: () => Life
  readonly #port: WitnessPort

  constructor(life: () => Life, port: WitnessPort) {
    this.#life = life
    this.#port = port
  }

  /** In true time since the process began, as long as nobody slews the clock. */
  get deadline(): number | undefined {
    const life = this.#life()
    const { deadline } = life.core
    if (deadline === undefined) return undefined
    const at = trueTimeOf(life, deadline) - life.process.bornAt
    return Number.isFinite(at) ? at : undefined
  }

  step(input: Input<Frame, MutexCommand>, { wall }: Instant): readonly LockEffect[] {
    const life = this.#life()
    if (input.type === 'receive') this.#port.received(life, input.from, input.message)
    const effects = life.core.step(input, { monotonic: clockOf(life), wall })
    this.#port.decided(life, effects)
    return effects
  }
}

import type { Crypto, PeerId } from '../../../lib/protocols/core.ts'
import type { MutexConfig } from './config.ts'
import type { MutexUnits } from './units.ts'

export interface MutexInit {
  readonly self: PeerId
  /** 32 hexadecimal digits. */
  readonly cluster: string
  readonly config: MutexConfig
  readonly crypto: Crypto
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** What `persist` wrote in former lives, and before the first the records of `firstRecords`. */
  readonly durable: ReadonlyMap<string, Uint8Array>
  /** Founds together with others when so many wait, this one included; undefined: it does not. */
  readonly expect?: number
  /** Replaced by mutants in tests. */
  readonly units?: Partial<MutexUnits>
}

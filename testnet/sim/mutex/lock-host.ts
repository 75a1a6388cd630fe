import type { Codec, Core, PeerId } from '../../../lib/protocols/core.ts'
import type { ElectorateView, Stamp } from '../../../plugins/mutex/core/electorate/messages.ts'
import type { MutexInit } from '../../../plugins/mutex/core/init.ts'
import type { Frame, MutexCommand, MutexEvent, MutexRequest } from '../../../plugins/mutex/core/messages.ts'
import type { DiskImage } from '../disk.ts'
import type { Machine } from '../machine.ts'
import type { Process } from '../process.ts'
import type { SlewedClock } from './slewed-clock.ts'

/** The core as its embedder has it. */
export interface LockCore extends Core<Frame, MutexCommand, MutexEvent, MutexRequest> {
  view(): ElectorateView
  /** Monotonic ms until which the lock of that request is held for sure; undefined: it is not. */
  validUntil(token: number): number | undefined
}

/** What is simulated: the real core, or one that a test of the simulator itself brings along. */
export interface LockSubject {
  core(init: MutexInit): LockCore
  readonly codec: Codec<Frame>
  /** What a peer writes before its identity. */
  firstRecords(init: MutexInit, origin: Origin): ReadonlyMap<string, Uint8Array>
  /** Of the lock state on that disk. */
  stampOf(image: DiskImage): Stamp | undefined
}

/** How a peer comes by an electorate. */
export type Origin = 'founder' | 'joiner' | 'expecting'

export type LockProcess = Process<Frame, MutexCommand, MutexEvent, MutexRequest>

/** One life of a host's process. */
export interface Life {
  readonly host: LockHost
  readonly number: number
  /** Of its machine. */
  readonly index: number
  /** Membership's. */
  readonly generation: number
  /** Of the lock state on its disk when it began. */
  readonly base: Stamp | undefined
  readonly process: LockProcess
  readonly core: LockCore
  /** Of its machine's clock, when it was born. */
  readonly clockAtBirth: number
  /** What membership has told it of others. */
  readonly rows: Map<PeerId, Row>
  /** It was told to stop, and does nothing for its apps any more. */
  stopping: boolean
  /** When it was last frozen or asleep, true ms; -Infinity: never. */
  stoppedAt: number
}

/** A row of the membership table, as it was last told to the core. */
export interface Row {
  readonly status: 'alive' | 'suspect' | 'dead' | 'left' | 'stopping'
  readonly generation: number
  readonly connected: boolean
}

/** How the last life of a host ended. */
export type Ending = 'killed' | 'stopped' | 'left'

/** One peer as the simulator sees it: a machine, an identity, and its present life. */
export interface LockHost {
  readonly name: string
  readonly peer: PeerId
  readonly machine: Machine
  readonly clock: SlewedClock
  readonly origin: Origin
  /** With how many it founds together. */
  readonly expect: number | undefined
  /** Its apps ask for no locks. */
  readonly silent: boolean
  lives: number
  generation: number
  /** The running one, or the last. */
  present: Life | undefined
  ending: Ending | undefined
  backup: DiskImage | undefined
  /** Its disk was lost, or put back. */
  spoilt: boolean
}

export type RunningHost = LockHost & { present: Life }

export function isUp(host: LockHost): host is RunningHost {
  return host.present?.process.alive === true
}

/** Runs, and is neither stopped nor asleep. */
export function isAwake(host: LockHost): host is RunningHost {
  return isUp(host) && !host.present.process.frozen
}

/** The process's monotonic clock now, ms. */
export function clockOf(life: Life): number {
  return life.host.clock.now - life.clockAtBirth
}

/** True time at which the process's monotonic clock shows `shown`. */
export function trueTimeOf(life: Life, shown: number): number {
  return life.host.clock.trueTime(shown + life.clockAtBirth)
}

/** Whether what is valid until then is valid now. */
export function isValid(life: Life, until: number | undefined): boolean {
  return until !== undefined && clockOf(life) < until
}

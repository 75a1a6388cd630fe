import { type ElectorateUnits, standardElectorateUnits } from './electorate/units.ts'
import { type LockUnits, standardLockUnits } from './lock/units.ts'

/** Every rule of the protocol that a mutant replaces. */
export type MutexUnits = LockUnits & ElectorateUnits

export const standardUnits: MutexUnits = { ...standardLockUnits, ...standardElectorateUnits }

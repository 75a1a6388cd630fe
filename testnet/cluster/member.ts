/** A peer of a cluster, over all of its lives and, where it loses its key, its identities. */
import { join } from 'node:path'
import { ControlClient } from '../../daemon/client/client.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { DaemonProcess } from './process.ts'

/** A member that is or was started here. */
export interface Member {
  /** In what is recorded: `n1`; `n1-2` once it has lost its key and is a peer that nobody knows. */
  readonly name: string
  /** What the scenario calls it, and its daemon calls itself: `n1`. */
  readonly place: string
  readonly dataDir: string
  readonly logPath: string
  readonly client: ControlClient
  /** Starts so far. */
  lives: number
  /** Of its latest life that was ready, and of the one before. */
  generation: number
  previousGeneration: number
  process: DaemonProcess | undefined
  /** Why its process ends is known; otherwise its end is a crash. */
  expected: boolean
  /** Flags of the next start alone. */
  flags: readonly string[]
  /** Where it was before it was given another address. */
  left: readonly string[]
  /** It has lost its disk, all of it or but its key. */
  wiped: boolean
}

/** `folder`: of the cluster. */
export function newMember(folder: string, place: string, name = place): Member {
  const dataDir = join(folder, place)
  return {
    name,
    place,
    dataDir,
    logPath: join(folder, `${place}.log`),
    client: ControlClient.open(dataDir),
    lives: 0,
    generation: 0,
    previousGeneration: 0,
    process: undefined,
    expected: false,
    flags: [],
    left: [],
    wiped: false,
  }
}

/** Who starts where this one has lost its key: a peer that nobody knows, whatever it is called. */
export function successor(folder: string, { name, place }: Member): Member {
  const identities = Number(/-(\d+)$/.exec(name)?.[1] ?? 1)
  return { ...newMember(folder, place, `${place}-${identities + 1}`), wiped: true }
}

/** After a change of address. */
export function assertMoved({ name, left }: Member, addresses: readonly string[]): void {
  const stayed = addresses.find((address) => left.includes(address))
  if (stayed === undefined) return
  throw new P2pdError('ERR_TESTNET', `${name} was to move, and listens at ${stayed} again`)
}

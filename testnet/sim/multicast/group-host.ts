import type { PeerId } from '../../../lib/protocols/core.ts'
import type {
  AuthorKey,
  MulticastCommand,
  MulticastEvent,
  MulticastPacket,
  MulticastRequest,
} from '../../../lib/protocols/multicast/messages.ts'
import type { Multicast } from '../../../lib/protocols/multicast/multicast.ts'
import type { DiskImage } from '../disk.ts'
import type { Machine } from '../machine.ts'
import type { Process } from '../process.ts'
import type { GroupLie } from './options.ts'
import type { Station } from './station.ts'

/** The simulator's own note between a core's effects: when it is carried out, what stands before it was. */
export interface Mark {
  readonly type: 'mark'
  readonly passed: () => void
}

export type SimRequest = MulticastRequest | Mark
export type MulticastProcess = Process<MulticastPacket, MulticastCommand, MulticastEvent, SimRequest>

/** One life of a host's process. */
export interface Life {
  readonly host: GroupHost
  readonly number: number
  /** Of its machine. */
  readonly index: number
  readonly process: MulticastProcess
  readonly core: Multicast
  readonly station: Station
  /** Started on a disk that is older than its last life. */
  readonly forgetful: boolean
  /** Its membership generation, once it is on the disk. */
  epoch: number
  /** As its member record says. */
  groups: readonly string[]
  /** Groups that its app has asked for. */
  readonly joined: Set<string>
  readonly unknownAuthor: (author: PeerId) => void
}

/** One member as the simulator sees it: a machine, an identity, and its present life. */
export interface GroupHost {
  readonly name: string
  readonly peer: PeerId
  readonly key: AuthorKey
  readonly machine: Machine
  /** It lies, once told to; undefined: honest. */
  readonly lie: GroupLie | undefined
  /** Only listens. */
  readonly silent: boolean
  /** Groups that its app wants to be in. */
  readonly wanted: Set<string>
  lives: number
  /** The running one, or the last. */
  present: Life | undefined
  /** Gave up its membership. */
  departed: boolean
  /** A little old: what a power cut leaves. */
  recent: DiskImage
  backup: DiskImage | undefined
  /** All its generations. */
  readonly epochs: Set<number>
}

export function isUp(host: GroupHost): host is GroupHost & { present: Life } {
  return host.present?.process.alive === true
}

export function isHonest(host: GroupHost): boolean {
  return host.lie === undefined
}

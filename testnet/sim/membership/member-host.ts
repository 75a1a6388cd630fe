import type { PeerId } from '../../../lib/protocols/core.ts'
import type { Membership } from '../../../lib/protocols/membership/membership.ts'
import type { Tags } from '../../../lib/protocols/membership/messages.ts'
import type { Machine } from '../machine.ts'
import type { MemberProcess } from './dialler.ts'
import type { Lie } from './options.ts'

/** `gone`: not running, may be started again. `ending`: told to leave or stop, says goodbye. */
export type HostState = 'new' | 'running' | 'frozen' | 'ending' | 'gone'

/** One member as the simulator sees it: a machine, an identity, and the process of its present life. */
export interface MemberHost {
  readonly name: string
  readonly peer: PeerId
  readonly machine: Machine
  /** It lies, once told to; undefined: honest. */
  readonly lie: Lie | undefined
  /** A clone that is bound to lose is no life of this peer, and not recorded. */
  recorded: boolean
  /** What people say of it now. */
  tags: Tags
  state: HostState
  life: number
  /** How long the longest of its former lives was. */
  livedMs: number
  /** Its disk is older than its last life. */
  forgetful: boolean
  process: MemberProcess | undefined
  core: Membership | undefined
}

/** Takes part in the protocol, honestly. */
export function takesPart(host: MemberHost): boolean {
  return host.state === 'running' && host.lie === undefined
}

/** Of the lives that are over. */
export function longestLifeMs(host: MemberHost): number {
  return Math.max(host.livedMs, host.process?.ageMs ?? 0)
}

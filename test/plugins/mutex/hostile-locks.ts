/** A peer that takes part in the locks by the real core, and says to others what the test makes of that. */
import { Driver } from '../../../lib/host/driver.ts'
import type { Peer } from '../../../lib/index.ts'
import type { Crypto, PeerId } from '../../../lib/protocols/core.ts'
import type { MemberView } from '../../../lib/protocols/membership/messages.ts'
import { frameCodec } from '../../../plugins/mutex/core/codec.ts'
import { type MutexConfig, mutexDefaults, mutexLocal } from '../../../plugins/mutex/core/config.ts'
import { firstRecords } from '../../../plugins/mutex/core/electorate/founding.ts'
import { mutexLimits } from '../../../plugins/mutex/core/limits.ts'
import type {
  AnsweringItem,
  AskingItem,
  Frame,
  MutexCommand,
  MutexEvent,
  MutexRequest,
} from '../../../plugins/mutex/core/messages.ts'
import { Mutex } from '../../../plugins/mutex/core/mutex.ts'
import { newsOf } from '../../../plugins/mutex/plugin.ts'
import { startRawMember } from '../../lib/raw-member.ts'
import { quick, secret } from './cluster.ts'

export interface HostileLocks {
  readonly id: PeerId
  readonly core: Mutex
  readonly events: readonly MutexEvent[]
  /** Every frame that came, with what it came from. */
  readonly heard: readonly { readonly from: PeerId; readonly frame: Frame }[]
  /** What goes out instead of a frame of the core; nothing, to keep silent. */
  tamper: (to: PeerId, frame: Frame) => readonly Frame[]
  /** What the core is given instead of what came. */
  listen: (from: PeerId, frame: Frame) => readonly Frame[]
  reaches(peer: PeerId): boolean
  /** Past the core. */
  send(to: PeerId, frame: Frame): void
  bytes(to: PeerId, bytes: Uint8Array): void
  readonly crypto: Crypto
  command(command: MutexCommand): void
  /** As the command `acquire`; resolves with the event that answers it. */
  acquire(
    lock: string,
    waitMs?: number,
  ): Promise<Extract<MutexEvent, { readonly type: 'acquired' | 'failed' }>>
  release(token: number): void
  stop(): Promise<void>
}

/** Resolves when it has joined; it is a voter as soon as the others make it one. */
export async function startHostileLocks(contact: Peer): Promise<HostileLocks> {
  const { clusterId, addresses } = contact
  const config: MutexConfig = { ...mutexDefaults, ...mutexLocal, ...quick }
  const events: MutexEvent[] = []
  const heard: { readonly from: PeerId; readonly frame: Frame }[] = []
  const answers = new Map<number, (event: MutexEvent) => void>()
  const members = new Map<PeerId, MemberView>()
  const connected = new Set<PeerId>()
  let tokens = 0
  let started = false
  const tell = (command: MutexCommand): void => {
    if (started) driver.command(command)
  }
  const member = await startRawMember({
    secret,
    clusterId,
    connected: (peer) => {
      connected.add(peer)
      tell({ type: 'connected', peer })
    },
    disconnected: (peer) => {
      connected.delete(peer)
      tell({ type: 'disconnected', peer })
    },
    emitted: (event) => {
      if (event.type === 'member') {
        members.set(event.member.peer, event.member)
        tell({ type: 'member', member: newsOf(event.member) })
      } else if (event.type === 'joined') {
        started = true
        tell({ type: 'start', generation: event.generation, members: [...members.values()].map(newsOf) })
        for (const peer of connected) tell({ type: 'connected', peer })
      }
    },
  })
  const { id: self, raw, crypto } = member
  const core = new Mutex({
    self,
    cluster: clusterId,
    config,
    crypto,
    random: Math.random,
    durable: firstRecords({
      self,
      cluster: clusterId,
      crypto,
      nonce: '00'.repeat(16),
      config,
      origin: 'joiner',
    }),
  })
  const send = (to: PeerId, frame: Frame): void => {
    raw.links.send(to, 'mutex', frameCodec.encode(frame))
  }
  const driver = new Driver<Frame, MutexCommand, MutexEvent, MutexRequest>({
    core,
    codec: frameCodec,
    counters: raw.counters,
    send: (to, bytes) => {
      for (const frame of hostile.tamper(to, frameCodec.decode(bytes))) send(to, frame)
    },
    write: async () => {},
    emit: (event) => {
      events.push(event)
      if (event.type === 'acquired' || event.type === 'failed') answers.get(event.token)?.(event)
    },
    request: (request) => {
      if (request.type === 'flush') queueMicrotask(() => tell({ type: 'flush' }))
    },
    writeFailed: () => {},
    failed: (error) => {
      throw error
    },
  })
  await raw.links.register({
    name: 'mutex',
    maxFrameBytes: mutexLimits.frameBytes,
    queueBytes: 2 * mutexLimits.frameBytes,
    queueFrames: 2048,
    receive: (from, bytes) => {
      const frame = frameCodec.decode(bytes)
      heard.push({ from, frame })
      for (const taken of hostile.listen(from, frame)) driver.receive(from, frameCodec.encode(taken))
    },
  })
  const hostile: HostileLocks = {
    id: self,
    core,
    events,
    heard,
    tamper: (_to, frame) => [frame],
    listen: (_from, frame) => [frame],
    reaches: (peer) => raw.links.reaches(peer),
    send,
    bytes: (to, bytes) => void raw.links.send(to, 'mutex', bytes),
    crypto,
    command: tell,
    acquire: (lock, waitMs) => {
      tokens += 1
      const token = tokens
      return new Promise((resolve) => {
        answers.set(token, (event) => {
          if (event.type === 'acquired' || event.type === 'failed') resolve(event)
        })
        tell({ type: 'acquire', token, lock, leaseMs: config.leaseMs, waitMs })
      })
    },
    release: (token) => tell({ type: 'release', token }),
    async stop() {
      driver.stop()
      await member.stop()
    },
  }
  member.join(addresses)
  return hostile
}

/** The frame with other items in what it asks, or nothing changed where it asks nothing. */
export function askingOf(frame: Frame, change: (item: AskingItem) => readonly AskingItem[]): Frame {
  const { asking } = frame
  return asking === undefined
    ? frame
    : { ...frame, asking: { ...asking, items: asking.items.flatMap(change) } }
}

export function answeringOf(frame: Frame, change: (item: AnsweringItem) => readonly AnsweringItem[]): Frame {
  const { answering } = frame
  return answering === undefined
    ? frame
    : { ...frame, answering: { ...answering, items: answering.items.flatMap(change) } }
}

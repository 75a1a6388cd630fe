/** What the daemon says when it is ready: a line for people, an event for programs, how to invite. */
import type { Logger } from 'pino'
import type { ClusterPlan } from './cluster-plan.ts'
import type { LineSink } from './log.ts'
import type { PeerPort } from './peer-port.ts'

export interface ReadyEvent {
  readonly event: 'ready'
  readonly peerId: string
  readonly name: string
  readonly cluster: string
  readonly addresses: readonly string[]
  /** Path of the control socket. */
  readonly control: string
  /** Where the control API also listens on TCP; null when it does not. */
  readonly controlUrl: string | null
}

export interface ReadyIo {
  readonly stdout: LineSink
  readonly stderr: LineSink
  readonly log: Logger
  readonly json: boolean
}

export function readyEvent(
  peer: Pick<PeerPort, 'peerId' | 'name' | 'cluster' | 'addresses'>,
  control: { socketPath: string; url: string | undefined },
): ReadyEvent {
  const { peerId, name, cluster, addresses } = peer
  return {
    event: 'ready',
    peerId,
    name,
    cluster,
    addresses,
    control: control.socketPath,
    controlUrl: control.url ?? null,
  }
}

/** The line for people stands at every log level, since scripts wait for it; with JSON the event is on stdout. */
export function tellReady(event: ReadyEvent, how: ClusterPlan['type'], dataFlag: string, io: ReadyIo): void {
  const { name, peerId, cluster, addresses, control, controlUrl } = event
  const deed = { found: 'founded', join: 'joined', resume: 'back in' }[how]
  if (io.json) {
    io.stdout.write(`${JSON.stringify(event)}\n`)
    io.log.info({ name, peerId, cluster, addresses, control, controlUrl }, 'ready')
    return
  }
  io.stderr.write(
    `ready: ${name} (${peerId}) ${deed} cluster ${cluster}, listening at ${addresses.join(' ')}\n`,
  )
  if (controlUrl !== null) io.stderr.write(`the control API is also at ${controlUrl}\n`)
  if (how !== 'found') return
  io.stderr.write(
    `let another machine in:  p2pd${dataFlag} invite > invite.txt  here, then  p2pd --invite invite.txt  there\n`,
  )
}

/** A daemon whose peer has started: becomes ready, tells what happens, ends. */
import type { Logger } from 'pino'
import type { Peer } from '../lib/index.ts'
import { P2pdError } from '../lib/wire/errors.ts'
import type { ControlPlane } from './control/control-plane.ts'
import { type ExitCode, exitCodeOf, exitCodes } from './exit-code.ts'
import { MemberLog } from './member-log.ts'
import type { MembershipTally } from './membership-tally.ts'
import type { ServiceNotifier } from './service-notifier.ts'
import type { Shutdown } from './shutdown.ts'

export interface RunningDaemonInit {
  readonly peer: Peer
  readonly control: ControlPlane
  readonly notifier: ServiceNotifier
  readonly tally: MembershipTally
  readonly log: Logger
  readonly shutdown: Shutdown
}

/** After `leave` the client has this long to take its answer, ms. */
const answerWithinMs = 1000

export class RunningDaemon {
  readonly #init: RunningDaemonInit
  readonly #memberLog: MemberLog
  #leaving = false

  constructor(init: RunningDaemonInit) {
    this.#init = init
    const { peer, log } = init
    this.#memberLog = new MemberLog(log, (id) => peer.member(id)?.name ?? id)
    this.#listen()
  }

  /** Resolves when this life is settled and the control API serves. Throws when told to stop before. */
  async becomeReady(): Promise<void> {
    const { peer, control, shutdown } = this.#init
    await peer.joined({ signal: shutdown.signal })
    control.serve(peer)
  }

  /**
   * Gives up membership; the daemon ends once the client of this has its answer.
   * Errors: ERR_LEAVE_INCOMPLETE, ERR_STOPPING when it leaves already; it serves on.
   */
  async leave({ force }: { readonly force: boolean }): Promise<void> {
    const { peer, control, shutdown, log } = this.#init
    if (this.#leaving) throw new P2pdError('ERR_STOPPING', 'the daemon leaves already')
    this.#leaving = true
    log.info({ force }, 'leaving the cluster')
    try {
      await peer.leave({ force })
    } catch (error) {
      this.#leaving = false
      log.warn({ err: error }, 'the daemon could not leave, and goes on')
      throw error
    }
    control.stopping()
    setTimeout(() => shutdown.begin(exitCodes.ok), answerWithinMs).unref()
  }

  /** Until the shutdown begins; throws what made the peer stop by itself. Nothing is open afterwards. */
  async untilEnd(): Promise<void> {
    const { peer, shutdown } = this.#init
    // It also closes when it has left, which is no failure: then the client of `leave` begins the end.
    const failed = peer.closed.then(() => shutdown.begun())
    try {
      await Promise.race([shutdown.begun(), failed])
    } finally {
      failed.catch(() => {})
      await this.#stop()
    }
  }

  async #stop(): Promise<void> {
    const { peer, control, notifier, log } = this.#init
    log.info('stopping')
    control.stopping()
    void notifier.stopping()
    await peer.stop()
    this.#memberLog.stop()
    await control.close()
    notifier.close()
  }

  #listen(): void {
    const { peer, control, tally, log } = this.#init
    peer.addEventListener('member', ({ detail: { change, member } }) => {
      tally.changed(change, member)
      control.publish(member, change)
      this.#memberLog.changed(change, member)
    })
    peer.addEventListener('isolated', ({ detail }) => {
      control.publishIsolation(detail)
      this.#memberLog.isolated(detail.isolated)
    })
    peer.addEventListener('name-conflict', ({ detail: { name, peers } }) =>
      this.#memberLog.nameConflict(name, peers),
    )
    peer.addEventListener('refuted', ({ detail }) => {
      tally.refutations += 1
      log.info(detail, 'refuted an accusation: this peer is alive')
    })
    peer.addEventListener('misbehaved', ({ detail }) => {
      tally.misbehaved(detail.reason)
      log.warn(detail, 'a peer broke the protocol')
    })
    peer.addEventListener('equivocation', ({ detail }) => {
      log.error(detail, 'a member signed two contents for one message')
    })
    peer.addEventListener('history-truncated', ({ detail: { group, ranges } }) => {
      log.warn(
        { group, ranges: ranges.slice(0, 16) },
        'messages are lost to this peer: nobody has them any more',
      )
    })
    peer.addEventListener('rolled-back', ({ detail }) => {
      log.warn(detail, 'the data directory was restored from a backup: others knew a later life of this peer')
    })
    peer.addEventListener('trouble', ({ detail }) => {
      log.error({ code: detail.code, hint: detail.hint }, detail.message)
    })
  }
}

export function failureCode(error: unknown): ExitCode {
  return error instanceof P2pdError ? exitCodeOf(error.code) : exitCodes.failed
}

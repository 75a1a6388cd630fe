/**
 * Locks and their voters, as a client of the daemon sees them.
 *
 * Who holds a lock keeps the stream of `hold` open: hanging up gives the lock up,
 * and ends the process group that was named with `guard`.
 */
import { lockRoutes } from '../../plugins/mutex/control/lock-routes.ts'
import type { GroupName } from '../../plugins/mutex/control/process-group.ts'
import type {
  HeldEvent,
  LockReleased,
  LocksAnswer,
  LockValidity,
  LostEvent,
  RecoverAnswer,
  VotersAnswer,
} from '../../plugins/mutex/control/schemas.ts'
import { pathOf } from '../control/routes.ts'
import { type CallOptions, ControlClient } from './client.ts'
import { badAnswer } from './errors.ts'

export type HoldEvent =
  | { readonly type: 'held'; readonly held: HeldEvent }
  /** It is about to be: what it protects has to end. */
  | { readonly type: 'lost'; readonly reason: LostEvent['reason'] }

export interface HoldOptions {
  /** For ever without it. */
  readonly waitMs?: number | undefined
  readonly leaseMs?: number | undefined
  /** Not to wait at all. */
  readonly try?: boolean
}

/** A change of the voters: it is agreed on, and taken over by a quorum of the new ones. */
const changeTimeoutMs = 120_000
/** What is left of a command has two seconds to end by itself. */
const releaseTimeoutMs = 15_000

type Name = keyof typeof lockRoutes

export class LockClient {
  readonly #client: ControlClient

  private constructor(client: ControlClient) {
    this.#client = client
  }

  /** `dataDir` is absolute. Touches nothing yet. */
  static open(dataDir: string): LockClient {
    return new LockClient(ControlClient.open(dataDir))
  }

  locks(name?: string, options: CallOptions = {}): Promise<LocksAnswer> {
    const { method, path } = lockRoutes.locks
    return this.#client.ask({ method, path, query: { name } }, options)
  }

  /** First `held`, as late as it may be. Ends when the daemon ends the stream; ERR_CONNECTION_LOST when it is gone. */
  async *hold(
    name: string,
    { waitMs, leaseMs, try: isTry }: HoldOptions = {},
    options: CallOptions = {},
  ): AsyncGenerator<HoldEvent, void, undefined> {
    const call = { ...at('hold', { name }), body: { waitMs, leaseMs, try: isTry } }
    for await (const { event, data } of this.#client.listen(call, options)) {
      if (event === 'held') yield { type: 'held', held: parse<HeldEvent>(data) }
      else if (event === 'lost') yield { type: 'lost', reason: parse<LostEvent>(data).reason }
    }
  }

  /** From now on the lock is given up only after this group has ended. */
  guard(session: string, group: GroupName, options: CallOptions = {}): Promise<LockValidity> {
    return this.#client.ask({ ...at('guard', { session }), body: group }, options)
  }

  /** Count the answer from when this was called. */
  heartbeat(session: string, options: CallOptions = {}): Promise<LockValidity> {
    return this.#client.ask({ ...at('heartbeat', { session }), body: {} }, options)
  }

  release(session: string, options: CallOptions = {}): Promise<LockReleased> {
    return this.#client.ask(
      { ...at('release', { session }), body: {} },
      { timeoutMs: releaseTimeoutMs, ...options },
    )
  }

  voters(options: CallOptions = {}): Promise<VotersAnswer> {
    return this.#client.ask(at('voters'), options)
  }

  addVoter(peer: string, options: CallOptions = {}): Promise<VotersAnswer> {
    return this.#change('addVoter', { peer }, options)
  }

  removeVoter(peer: string, options: CallOptions = {}): Promise<VotersAnswer> {
    return this.#change('removeVoter', { peer }, options)
  }

  recoverVoter(options: CallOptions = {}): Promise<RecoverAnswer> {
    return this.#change('recoverVoter', {}, options)
  }

  #change<Answer>(name: Name, body: object, options: CallOptions): Promise<Answer> {
    return this.#client.ask({ ...at(name), body }, { timeoutMs: changeTimeoutMs, ...options })
  }
}

function at(name: Name, params: Readonly<Record<string, string>> = {}) {
  return { method: lockRoutes[name].method, path: pathOf(lockRoutes[name], params) }
}

/** The daemon makes it of this very type. */
function parse<Event>(data: string): Event {
  try {
    return JSON.parse(data) as Event
  } catch (error) {
    throw badAnswer('the daemon sent an event that is not JSON', error)
  }
}

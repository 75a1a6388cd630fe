/** The locks in the control API: routes over `MutexApi`, and the sessions of those who hold through it. */
import type { PluginRequest, PluginRoute, PluginTools } from '../../contract.ts'
import type { MutexApi } from '../api.ts'
import { lockRoutes } from './lock-routes.ts'
import { LockSessions } from './lock-sessions.ts'
import {
  type GroupBody,
  type HoldBody,
  type LockSchemas,
  type LocksAnswer,
  lockSchemas,
  type RecoverAnswer,
  type VoterBody,
  type VotersAnswer,
} from './schemas.ts'
import { showVoters } from './voters-view.ts'

/** HTTP statuses of what locks and voters are refused with. */
export const lockErrorStatus: Readonly<Record<string, number>> = {
  ERR_LOCK_NAME: 400,
  ERR_LEASE: 400,
  ERR_LOCK_GROUP: 400,
  ERR_LOCK_SESSION: 404,
  ERR_LOCK_HELD: 409,
  ERR_LOCK_LOST: 409,
  ERR_LOCK_REFUSED: 409,
  ERR_VOTERS_REFUSED: 409,
  ERR_NO_QUORUM: 503,
  ERR_NO_ELECTORATE: 503,
}

const givenUpByRecovery =
  'what was granted after the restored state is forgotten: this voter votes for nobody until the longest ' +
  'lease is over, and its tokens go on 2^32 above the highest that it knows'

type Request = PluginRequest<MutexApi>

export class LockControl {
  readonly #sessions = new LockSessions()

  /** Of the daemon that loads the plugin. */
  routes({ z }: PluginTools): readonly PluginRoute<MutexApi>[] {
    const schemas = lockSchemas(z)
    return [...this.#lockRoutes(schemas), ...voterRoutes(schemas)]
  }

  /** Before the locks end: commands that run under one end first. Within 1.4 s. */
  close(): Promise<void> {
    return this.#sessions.close()
  }

  #lockRoutes(schemas: LockSchemas): readonly PluginRoute<MutexApi>[] {
    const sessions = this.#sessions
    return [
      { ...lockRoutes.locks, query: schemas.locksQuery, answer: schemas.locksAnswer, handle: listLocks },
      {
        ...lockRoutes.hold,
        body: schemas.holdRequest,
        stream: ({ api, params, body, signal }) => {
          const { try: isTry, leaseMs, waitMs } = body as HoldBody
          return sessions.hold(api, { name: params.name ?? '', leaseMs, waitMs, isTry }, signal)
        },
      },
      {
        ...lockRoutes.guard,
        body: schemas.groupRequest,
        answer: schemas.validity,
        handle: ({ params, body }) => sessions.guard(params.session ?? '', body as GroupBody),
      },
      {
        ...lockRoutes.heartbeat,
        body: schemas.emptyRequest,
        answer: schemas.validity,
        handle: ({ params }) => sessions.heartbeat(params.session ?? ''),
      },
      {
        ...lockRoutes.release,
        body: schemas.emptyRequest,
        answer: schemas.released,
        handle: ({ params }) => sessions.release(params.session ?? ''),
      },
    ]
  }
}

function voterRoutes(schemas: LockSchemas): readonly PluginRoute<MutexApi>[] {
  const show = (request: Request): VotersAnswer => showVoters(request.api, (peer) => request.nameOf(peer))
  const change = { body: schemas.voterRequest, answer: schemas.votersAnswer }
  return [
    { ...lockRoutes.voters, answer: schemas.votersAnswer, handle: show },
    {
      ...lockRoutes.addVoter,
      ...change,
      handle: async (request) => {
        const { peer } = request.body as VoterBody
        await request.api.addVoter(request.peerOf(peer), { signal: request.signal })
        return show(request)
      },
    },
    {
      ...lockRoutes.removeVoter,
      ...change,
      handle: async (request) => {
        const { peer } = request.body as VoterBody
        // It may vote, and be a member no longer.
        const known = request.api.electorate().voters.find((voter) => voter.peer === peer)?.peer
        await request.api.removeVoter(known ?? request.peerOf(peer), { signal: request.signal })
        return show(request)
      },
    },
    {
      ...lockRoutes.recoverVoter,
      body: schemas.emptyRequest,
      answer: schemas.recoverAnswer,
      handle: async (request): Promise<RecoverAnswer> => {
        await request.api.recoverVoter()
        return { ...show(request), givenUp: givenUpByRecovery }
      },
    },
  ]
}

async function listLocks({ api, query, signal }: Request): Promise<LocksAnswer> {
  const { name } = query as { readonly name?: string }
  const { locks, complete } = await api.locks(name, { signal })
  return {
    locks: locks.map(({ lock, holder, token, expiresInMs, waiters }) => ({
      name: lock,
      holder: holder ?? null,
      token,
      expiresInMs: Math.max(0, expiresInMs),
      waiters: [...waiters],
    })),
    complete,
  }
}

/** What `status` says of locks and their voters. */
import type { PluginStatus } from '../contract.ts'
import type { MutexApi } from './api.ts'
import type { ElectorateView } from './core/electorate/messages.ts'

export const mutexStatus: PluginStatus<MutexApi> = {
  keys: ['quorum', 'locks'],
  read(api) {
    const { held, waiting } = api.counters()
    return { quorum: toQuorum(api.electorate()), locks: { held, waiting } }
  },
}

/** As `quorum` in daemon/control/schemas.ts. */
function toQuorum(view: ElectorateView) {
  const { id, version, voters, reachable, self, abstainsForMs, conflict, change } = view
  return {
    version,
    voters: voters.map(({ peer }) => peer),
    reachable,
    missing: voters.filter(({ answering }) => !answering).map(({ peer }) => peer),
    id: id ?? null,
    self,
    abstainsForMs: Math.ceil(abstainsForMs),
    void: view.void ?? null,
    conflict:
      conflict === undefined
        ? null
        : { code: 'ERR_ELECTORATE_CONFLICT', id: conflict.id, peerId: conflict.peer },
    change: change === undefined ? null : { phase: change.phase, voters: [...change.voters] },
  }
}

/**
 * Locks without a server: one holder at a time over all peers, agreed by a majority
 * of the voters, with a fencing token that rises from holder to holder.
 *
 * ```js
 * import { createPeer } from 'p2pd'
 * import { mutex } from 'p2pd/mutex'
 *
 * const peer = await createPeer({ cluster: 'shop', secret, join, plugins: { mutex: mutex() } })
 * const lock = await peer.plugins.mutex.acquire('deploy', { leaseMs: 10_000 })
 * try {
 *   // `lock.signal` aborts when the lock is lost; show `lock.token` to whatever it protects.
 *   await deploy({ token: lock.token, signal: lock.signal })
 * } finally {
 *   await lock.release()
 * }
 * ```
 */
import type { Plugin } from '../contract.ts'
import type { MutexApi } from './api.ts'
import { checkMutex } from './checker/fenced-mutex.ts'
import type { MutexBounds, MutexEvent } from './checker/history.ts'
import { LockControl, lockErrorStatus } from './control/lock-control.ts'
import { mutexMetrics } from './metrics.ts'
import { type MutexOptions, mutexPlugin } from './plugin.ts'
import { mutexStatus } from './status.ts'

export type { AcquireOptions, FencingToken, Lock, MutexApi, MutexCounters } from './api.ts'
export type { MutexConfig } from './core/config.ts'
export type { ElectorateView, VoterView } from './core/electorate/messages.ts'
export type { LockView, VoteConflict } from './core/messages.ts'
export type { MutexOptions } from './plugin.ts'

/** Of any history of peers whose clocks run as they should; how soon each gets its turn depends on its machines. */
const bounds: MutexBounds = {
  timely: true,
  overtaking: Number.POSITIVE_INFINITY,
  noQuorumMs: 5000,
  calmMs: Number.POSITIVE_INFINITY,
  quietAtEnd: false,
}

/** The plugin, for `createPeer({ plugins: { mutex: mutex() } })`. Errors: ERR_BAD_OPTION. */
export function mutex(options: MutexOptions = {}): Plugin<MutexApi> {
  const control = new LockControl()
  return {
    // Commands that run under a lock end before the lock does.
    ...mutexPlugin(options, () => control.close()),
    routes: (tools) => control.routes(tools),
    metrics: mutexMetrics,
    status: mutexStatus,
    errorStatus: lockErrorStatus,
    checker: {
      name: 'mutex',
      check: (history) => checkMutex(history as readonly MutexEvent[], bounds).violations,
    },
  }
}

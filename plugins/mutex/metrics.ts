import type { PluginMetric } from '../contract.ts'
import type { MutexApi } from './api.ts'

type Metric = PluginMetric<MutexApi>

/** What Prometheus is shown of the locks. */
export const mutexMetrics: readonly Metric[] = [
  counter('p2pd_mutex_acquired_total', 'Locks that this peer got', (api) => api.counters().acquired),
  counter('p2pd_mutex_released_total', 'Locks that it gave back', (api) => api.counters().released),
  counter('p2pd_mutex_lost_total', 'Locks that it lost', (api) => api.counters().lost),
  labelled(
    'p2pd_mutex_failed_total',
    'Requests that failed, by code',
    'code',
    (api) => api.counters().failed,
  ),
  labelled(
    'p2pd_mutex_misbehaviours_total',
    'Breaches of the protocol by other peers, by reason',
    'reason',
    (api) => api.counters().misbehaved,
  ),
  gauge('p2pd_mutex_held', 'Locks that this peer holds', (api) => api.counters().held),
  gauge('p2pd_mutex_waiting', 'Requests of this peer that wait', (api) => api.counters().waiting),
  gauge(
    'p2pd_mutex_electorate_version',
    'Version of the electorate; 0 while there is none',
    (api) => api.electorate().version,
  ),
  gauge('p2pd_mutex_voters', 'Voters of that version', (api) => api.electorate().voters.length),
  gauge(
    'p2pd_mutex_voters_answering',
    'Those that answer this peer',
    (api) => api.electorate().voters.filter(({ answering }) => answering).length,
  ),
  gauge('p2pd_mutex_reachable', '1 while a quorum of the voters answers', (api) =>
    Number(api.electorate().reachable),
  ),
  gauge(
    'p2pd_mutex_abstaining_seconds',
    'For how long this voter grants nothing yet',
    (api) => api.electorate().abstainsForMs / 1000,
  ),
  gauge('p2pd_mutex_electorate_conflict', '1 while some peer here belongs to another electorate', (api) =>
    Number(api.electorate().conflict !== undefined),
  ),
  gauge(
    'p2pd_mutex_conflicts',
    'Proofs that a voter signed what cannot both be true',
    (api) => api.conflicts().length,
  ),
]

function counter(name: string, help: string, read: (api: MutexApi) => number): Metric {
  return { name, help, type: 'counter', samples: (api) => [{ value: read(api) }] }
}

function gauge(name: string, help: string, read: (api: MutexApi) => number): Metric {
  return { name, help, type: 'gauge', samples: (api) => [{ value: read(api) }] }
}

function labelled(
  name: string,
  help: string,
  label: string,
  read: (api: MutexApi) => Readonly<Record<string, number>>,
): Metric {
  const samples = (api: MutexApi) =>
    Object.entries(read(api)).map(([key, value]) => ({ labels: { [label]: key }, value }))
  return { name, help, type: 'counter', labels: [label], samples }
}

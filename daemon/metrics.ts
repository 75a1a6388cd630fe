/**
 * The daemon's figures for Prometheus.
 *
 * Loaded on the first request: a daemon that nobody scrapes pays nothing for it.
 * What is counted elsewhere is copied when asked for; only round trips need
 * sampling, because the library keeps no more than the smoothed one a member.
 */
import type { Logger } from 'pino'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { GroupView } from '../lib/group.ts'
import type { MemberView, PeerCounters } from '../lib/index.ts'
import { countByStatus, countStalled, nameConflicts } from './control/member-rows.ts'
import type { MembershipTally } from './membership-tally.ts'
import type { PeerPort } from './peer-port.ts'
import type { OwnedMetric, PluginSet } from './plugins/plugin-set.ts'

export interface MetricsSource {
  /** Undefined while the peer does not run. */
  peer(): PeerPort | undefined
  readonly tally: MembershipTally
  readonly version: string
  /** Clients of the event stream. */
  watchers(): number
  /** Clients that read groups. */
  groupReaders(): number
  readonly plugins: PluginSet
  /** Clients that hold streams of plugins. */
  pluginStreams(): number
  readonly log: Logger
}

export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
  stop(): void
}

/** Between two looks at the members' smoothed round trips, ms. */
const samplePeriodMs = 5000

export function createMetrics(source: MetricsSource): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  addMembership(registry, source)
  addTally(registry, source)
  addTraffic(registry, source)
  addGroups(registry, source)
  addPlugins(registry, source)
  addGauge(registry, 'p2pd_build_info', 'What runs here', ['version', 'node'], (set) =>
    set({ version: source.version, node: process.version }, 1),
  )
  const sampler = sampleRoundTrips(registry, source)
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    stop: () => clearInterval(sampler),
  }
}

function addMembership(registry: Registry, { peer, watchers }: MetricsSource): void {
  addGauge(registry, 'p2pd_members', 'Members by status, this one included', ['status'], (set) => {
    const members = peer()?.members() ?? []
    const stalled = countStalled(members)
    const counts = countByStatus(members)
    // Each in one of them, so that they may be summed up.
    const all = { ...counts, suspect: counts.suspect - stalled, stalled }
    for (const [status, count] of Object.entries(all)) set({ status }, count)
  })
  const single = (name: string, help: string, read: () => number) =>
    addGauge(registry, name, help, [], (set) => set({}, read()))
  single('p2pd_health_score', "Lifeguard's multiplier: 0 well, 8 worst", () => peer()?.health.score ?? 0)
  single('p2pd_isolated', '1 while this peer takes itself for the sick one', () =>
    Number(peer()?.health.isolated ?? false),
  )
  single('p2pd_ready', '1 while the daemon serves', () => Number(peer() !== undefined))
  single('p2pd_generation', 'This life of the peer', () => peer()?.generation ?? 0)
  single('p2pd_connections', 'Open connections to peers', () => peer()?.counters().connections ?? 0)
  single(
    'p2pd_name_conflicts',
    'Names that several members bear',
    () => nameConflicts(peer()?.members() ?? []).length,
  )
  single('p2pd_tombstones', 'Lives that are gone, and remembered', () => peer()?.counters().tombstones ?? 0)
  single('p2pd_watchers', 'Clients of the event stream', watchers)
}

function addTally(registry: Registry, { tally }: MetricsSource): void {
  addCounter(
    registry,
    'p2pd_member_changes_total',
    'Changes of members by kind',
    'change',
    () => tally.changes,
  )
  addCounter(
    registry,
    'p2pd_suspicions_total',
    'Members that turned suspect',
    undefined,
    () => tally.changes.suspect,
  )
  addCounter(
    registry,
    'p2pd_false_suspicions_total',
    'Suspects that turned out to be alive, and did not stall',
    undefined,
    () => tally.falseSuspicions,
  )
  addCounter(
    registry,
    'p2pd_false_deaths_total',
    'Members called dead that turned out to be alive in the same life',
    undefined,
    () => tally.falseDeaths,
  )
  addCounter(
    registry,
    'p2pd_members_stalled_total',
    'Members whose machine answered, but not their process',
    undefined,
    () => tally.changes.stalled,
  )
  addCounter(
    registry,
    'p2pd_members_dismissed_total',
    'Dead members that were forced to leave',
    undefined,
    () => tally.dismissed,
  )
  addCounter(
    registry,
    'p2pd_members_reaped_total',
    'Members that were gone for so long that the table dropped them',
    undefined,
    () => tally.changes.reaped,
  )
  addCounter(
    registry,
    'p2pd_refutations_total',
    'Times that this peer had to say that it is alive',
    undefined,
    () => tally.refutations,
  )
  addCounter(
    registry,
    'p2pd_misbehaviours_total',
    'Breaches of the protocol by reason',
    'reason',
    () => tally.misbehaviours,
  )
}

type Reading = number | undefined | Readonly<Record<string, number | undefined>>

function addTraffic(registry: Registry, { peer }: MetricsSource): void {
  const add = (
    name: string,
    help: string,
    label: string | undefined,
    read: (counters: PeerCounters) => Reading,
  ) =>
    addCounter(registry, name, help, label, () => {
      const counters = peer()?.counters()
      return counters === undefined ? undefined : read(counters)
    })
  add('p2pd_frames_received_total', 'Frames from peers', undefined, (c) => c.framesIn)
  add('p2pd_frames_sent_total', 'Frames to peers', undefined, (c) => c.framesOut)
  add('p2pd_received_bytes_total', 'Bytes of frames from peers', undefined, (c) => c.bytesIn)
  add('p2pd_sent_bytes_total', 'Bytes of frames to peers', undefined, (c) => c.bytesOut)
  add('p2pd_frames_dropped_total', 'Frames that went nowhere, by reason', 'reason', (c) => c.dropped)
  add('p2pd_dials_total', 'Dials by outcome', 'outcome', (c) => c.dials)
  add('p2pd_knocks_total', 'Connects of the fast path by outcome', 'outcome', (c) => c.knocks)
  add(
    'p2pd_syncs_total',
    'Views, or parts of them, sent to members whose digest differs',
    undefined,
    (c) => c.syncs,
  )
  add(
    'p2pd_strangers_refused_total',
    'Records of peers that are no members, not taken in: no room, or too many from one member',
    undefined,
    (c) => c.refusedStrangers,
  )
  add(
    'p2pd_refused_handshakes_total',
    'Inbound connections that did not get in',
    'reason',
    (c) => c.refusedHandshakes,
  )
  add('p2pd_connections_opened_total', 'Connections opened', undefined, (c) => c.connectionsOpened)
  add('p2pd_connections_closed_total', 'Connections closed', undefined, (c) => c.connectionsClosed)
  add('p2pd_links_cut_total', 'Connections closed for what the peer sent', undefined, (c) => c.linksCut)
  add(
    'p2pd_gossip_messages_total',
    'Gossip messages: published here, or what was made of those of others',
    'outcome',
    (c) => c.gossip,
  )
  add(
    'p2pd_gossip_reopened_total',
    'Gossip streams that were opened anew',
    undefined,
    (c) => c.gossipReopened,
  )
  add('p2pd_gossip_resets_total', 'Connections closed to mend gossip', undefined, (c) => c.gossipResets)
  add('p2pd_messages_published_total', 'Messages published here', undefined, (c) => c.multicast.published)
  add('p2pd_messages_delivered_total', 'Messages delivered here', undefined, (c) => c.multicast.delivered)
  add(
    'p2pd_messages_truncated_total',
    'Messages lost to this peer: nobody has them any more',
    undefined,
    (c) => c.multicast.truncated,
  )
  add('p2pd_envelopes_refused_total', 'Envelopes not taken, by reason', 'reason', (c) => c.multicast.refused)
  add(
    'p2pd_pulls_total',
    'Times that repair asked others for what is missing',
    undefined,
    (c) => c.multicast.pulled,
  )
  add(
    'p2pd_envelopes_served_total',
    'Envelopes that repair gave to others',
    undefined,
    (c) => c.multicast.served,
  )
  add('p2pd_store_writes_total', 'Writes to the store', undefined, (c) => c.storeWrites)
  add('p2pd_store_failures_total', 'Writes to the store that failed', undefined, (c) => c.storeFailures)
  addGauge(registry, 'p2pd_loop_lag_seconds', 'How late the protocol timer last fired', [], (set) =>
    set({}, (peer()?.counters().loopLagMs ?? 0) / 1000),
  )
  addGauge(registry, 'p2pd_loop_lag_max_seconds', 'How late the protocol timer ever fired', [], (set) =>
    set({}, (peer()?.counters().loopLagMaxMs ?? 0) / 1000),
  )
}

/** By group: a peer is in at most 256, and those of others are not shown. */
function addGroups(registry: Registry, { peer, groupReaders }: MetricsSource): void {
  const own = (): readonly GroupView[] => (peer()?.groups() ?? []).filter(({ joined }) => joined)
  const add = (name: string, help: string, read: (group: GroupView) => number) =>
    addGauge(registry, name, help, ['group'], (set) => {
      for (const group of own()) set({ group: group.name }, read(group))
    })
  add('p2pd_group_members', 'Members of the group, this one included', ({ members }) => members.length)
  add('p2pd_group_ready', '1 unless what came before is still fetched', ({ ready }) => Number(ready))
  add('p2pd_group_held_back', 'Messages that wait for others they depend on', ({ heldBack }) => heldBack)
  add('p2pd_group_log_messages', 'Messages in the log', ({ logMessages }) => logMessages)
  add('p2pd_group_log_bytes', 'Bytes of the log', ({ logBytes }) => logBytes)
  addCounter(registry, 'p2pd_group_delivered_total', 'Messages delivered', 'group', () =>
    Object.fromEntries(own().map(({ name, delivered }) => [name, delivered])),
  )
  addGauge(registry, 'p2pd_group_readers', 'Clients that read groups', [], (set) => set({}, groupReaders()))
  addGauge(registry, 'p2pd_forks', 'Proofs that somebody signed two contents for one message', [], (set) =>
    set({}, peer()?.forks().length ?? 0),
  )
}

/** Of one metric of a plugin: what is beyond is not shown. */
const maxSamples = 64
const maxLabelChars = 64

function addPlugins(registry: Registry, source: MetricsSource): void {
  addGauge(registry, 'p2pd_plugin_streams', 'Clients that hold streams of plugins', [], (set) =>
    set({}, source.pluginStreams()),
  )
  for (const owned of source.plugins.metrics) addPluginMetric(registry, source, owned)
}

/** A plugin that fails to tell its figures keeps nobody from the others. */
function addPluginMetric(
  registry: Registry,
  { peer, log }: MetricsSource,
  { plugin, metric }: OwnedMetric,
): void {
  const { name, help, type, labels: labelNames = [] } = metric
  const read = (add: (labels: Record<string, string>, value: number) => void): void => {
    const apis = peer()?.plugins
    if (apis === undefined) return
    try {
      for (const { labels = {}, value } of metric.samples(apis[plugin]).slice(0, maxSamples)) {
        add(shortened(labels), value)
      }
    } catch (error) {
      log.error({ plugin, metric: name, err: error }, 'a plugin failed to tell a figure')
    }
  }
  if (type === 'gauge') addGauge(registry, name, help, labelNames, read)
  else {
    new Counter({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset()
        read((labels, value) => this.inc(labels, value))
      },
    })
  }
}

function shortened(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [name, String(value).slice(0, maxLabelChars)]),
  )
}

function sampleRoundTrips(registry: Registry, { peer }: MetricsSource): NodeJS.Timeout {
  const histogram = new Histogram({
    name: 'p2pd_round_trip_seconds',
    help: "Members' smoothed round trips, one sample a member each 5 s while connected",
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1],
    registers: [registry],
  })
  const sample = () => {
    for (const member of peer()?.members() ?? [])
      if (isMeasured(member)) histogram.observe(member.rttMs / 1000)
  }
  sample()
  return setInterval(sample, samplePeriodMs).unref()
}

function isMeasured(member: MemberView): member is MemberView & { rttMs: number } {
  return member.connected && !member.self && member.rttMs !== undefined
}

function addGauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  collect: (set: (labels: Record<string, string>, value: number) => void) => void,
): void {
  new Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset()
      collect((labels, value) => this.set(labels, value))
    },
  })
}

/** A counter that is kept elsewhere: read whole, by label value if there is a label. */
function addCounter(
  registry: Registry,
  name: string,
  help: string,
  label: string | undefined,
  read: () => Reading,
): void {
  new Counter({
    name,
    help,
    labelNames: label === undefined ? [] : [label],
    registers: [registry],
    collect() {
      this.reset()
      const reading = read() ?? 0
      if (label === undefined || typeof reading === 'number')
        this.inc(typeof reading === 'number' ? reading : 0)
      else for (const [value, count] of Object.entries(reading)) this.inc({ [label]: value }, count ?? 0)
    },
  })
}

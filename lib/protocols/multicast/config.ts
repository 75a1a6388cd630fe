/** Knobs of multicast. Times in ms, sizes in bytes. */
export interface MulticastConfig {
  /** Before a gap is pulled: gossip may still bring it, and not everybody should ask at once. */
  readonly pullDelayMinMs: number
  readonly pullDelayMaxMs: number
  /** An unanswered pull goes to another server after this, doubling up to the longest. */
  readonly pullTimeoutMs: number
  readonly pullBackoffMaxMs: number
  /** Pulls under way at one server. */
  readonly pullsPerServer: number
  /** Between two rounds of anti-entropy with a random member. */
  readonly antiEntropyMinMs: number
  readonly antiEntropyMaxMs: number
  /** What cannot be delivered for so long gives up its payload. */
  readonly holdBackMs: number
  /** How long the log keeps a delivered message, and how many bytes of them a group. */
  readonly retentionMs: number
  readonly retentionBytes: number
  /** A giver that does not answer with its baseline is given up after this. */
  readonly baselineTimeoutMs: number
  /** Nobody is seen in the group for so long after membership has settled: this peer founds it. */
  readonly foundAfterMs: number
  /** A giver keeps what a joiner still has to copy for so long at most. */
  readonly pinMs: number
  /** All that can be reached were asked and nobody has it: after so long it is given up, and reported. */
  readonly truncateAfterMs: number
  /** Members to whom an envelope is pushed directly while gossip does not show their subscription. */
  readonly directPushes: number
}

export const multicastDefaults = {
  // A frame crosses a LAN in under 1 ms and a gossip hop in a few; 50–200 ms is design practice (Scalable Reliable Multicast).
  pullDelayMinMs: 50,
  pullDelayMaxMs: 200,
  pullTimeoutMs: 1000,
  pullBackoffMaxMs: 8000,
  pullsPerServer: 2,
  antiEntropyMinMs: 5000,
  antiEntropyMaxMs: 10_000,
  holdBackMs: 60_000,
  retentionMs: 600_000,
  retentionBytes: 64 * 1024 * 1024,
  baselineTimeoutMs: 2000,
  foundAfterMs: 300,
  pinMs: 60_000,
  truncateAfterMs: 10_000,
  directPushes: 6,
} as const satisfies MulticastConfig

/** What is wrong with these knobs together; undefined when nothing is. */
export function configProblem(config: MulticastConfig): string | undefined {
  const { holdBackMs, truncateAfterMs, pullBackoffMaxMs, pullDelayMinMs, pullDelayMaxMs } = config
  const { antiEntropyMinMs, antiEntropyMaxMs } = config
  const values = Object.entries(config).find(([, value]) => !Number.isFinite(value) || value < 0)
  if (values !== undefined) return `${values[0]} is no number from 0 on`
  if (pullDelayMinMs < 1 || pullDelayMaxMs < pullDelayMinMs) return 'pullDelayMaxMs is below pullDelayMinMs'
  if (antiEntropyMaxMs < antiEntropyMinMs) return 'antiEntropyMaxMs is below antiEntropyMinMs'
  // Or what is lost would be forgotten before it can be reported.
  if (holdBackMs <= truncateAfterMs + pullBackoffMaxMs) {
    return 'holdBackMs has to exceed truncateAfterMs and pullBackoffMaxMs together'
  }
  return undefined
}

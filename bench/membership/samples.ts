/** What is measured of one side in one profile, in the same units for both. */
export interface Samples {
  readonly killMs: number[]
  readonly silentMs: number[]
  readonly joinMs: number[]
  readonly joinFromReadyMs: number[]
  readonly leaveMs: number[]
  readonly tagMs: number[]
  readonly messageMs: number[]
  readonly healMs: number[]
  readonly stoppedCalledDead: number[]
  readonly stalledMs: number[]
  readonly lossCalledDead: number[]
  readonly calledDead: number[]
  readonly idleBytes: number[]
  readonly cpuPercent: number[]
  readonly privateMib: number[]
  readonly rssMib: number[]
}

export const noSamples = (): Samples => ({
  killMs: [],
  silentMs: [],
  joinMs: [],
  joinFromReadyMs: [],
  leaveMs: [],
  tagMs: [],
  messageMs: [],
  healMs: [],
  stoppedCalledDead: [],
  stalledMs: [],
  lossCalledDead: [],
  calledDead: [],
  idleBytes: [],
  cpuPercent: [],
  privateMib: [],
  rssMib: [],
})

/** How often and how long. */
export interface Effort {
  readonly settleMs: number
  readonly idleMs: number
  readonly joins: number
  readonly news: number
  readonly kills: number
  readonly silences: number
  readonly stops: number
  readonly stopMs: number
  readonly lossMs: number
  readonly partitions: number
  readonly partitionMs: number
}

/** By then the electorate of the locks has grown as far as it does, which is no idling. */
const electorateMs = 60_000

export const full: Effort = {
  settleMs: electorateMs,
  idleMs: 20_000,
  joins: 5,
  news: 10,
  kills: 5,
  silences: 3,
  stops: 3,
  stopMs: 10_000,
  lossMs: 60_000,
  partitions: 2,
  partitionMs: 60_000,
}

export const quick: Effort = {
  settleMs: electorateMs,
  idleMs: 10_000,
  joins: 2,
  news: 3,
  kills: 2,
  silences: 1,
  stops: 1,
  stopMs: 10_000,
  lossMs: 15_000,
  partitions: 1,
  partitionMs: 20_000,
}

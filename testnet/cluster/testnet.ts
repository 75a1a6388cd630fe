/**
 * A testnet: real daemons on this machine are put through a scenario, and
 * checkers that share no code with them judge what they showed.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { P2pdError } from '../../lib/wire/errors.ts'
import { checkMutex } from '../../plugins/mutex/checker/fenced-mutex.ts'
import { checkMembership } from '../checkers/membership.ts'
import { checkMulticast } from '../checkers/multicast.ts'
import { checkProhibitions } from '../checkers/prohibitions.ts'
import { checkMedian, noticeTimes } from '../checkers/times.ts'
import { loadNow, loadSince, type Shown, shownNow } from './circumstances.ts'
import { Cluster } from './cluster.ts'
import { excerpt } from './excerpt.ts'
import type { Gap } from './group-reader.ts'
import type { PhaseListener } from './phase.ts'
import {
  type GapFigures,
  jsonReporter,
  type Reporter,
  type TestnetIo,
  type TestnetVerdict,
  textReporter,
} from './report.ts'
import { runScenario } from './runner.ts'
import type { Scenario } from './scenario.ts'
import { loadScenario } from './scenario-files.ts'
import { peerLimits } from './scenario-format.ts'
import { assertPeers } from './scenario-sense.ts'
import { measureTraffic, type Traffic } from './traffic.ts'

export interface TestnetOptions {
  /** 3 to 100; undefined leaves it to the scenario. */
  readonly peers?: number | undefined
  /** Name of a built-in scenario, or the path of a `.json` file. */
  readonly scenario?: string | undefined
  /** Timing of the daemons' probes. */
  readonly profile?: string | undefined
  /** Leave the daemons running after the verdict, until the signal aborts. */
  readonly keep?: boolean | undefined
  /** One object a line on stdout: the phases, and the verdict last. */
  readonly json?: boolean | undefined
}

/** What is still under way when the last step is done: nobody publishes any more, ms. */
const quietWithinMs = 20_000

/**
 * What is promised of locks on any machine: who asks without a quorum is told within
 * 5 s. How soon anybody is served depends on the machine, and when a request came to
 * a quorum is not to be seen from outside.
 */
const lockBounds = {
  timely: true,
  overtaking: Number.POSITIVE_INFINITY,
  noQuorumMs: 5000,
  calmMs: Number.POSITIVE_INFINITY,
} as const

/** Gives the exit code: 0 only if every check held. Throws before anything is started, and when interrupted. */
export async function runTestnet(options: TestnetOptions, io: TestnetIo): Promise<number> {
  const profile = options.profile ?? 'local'
  const scenario = await loadScenario(options.scenario ?? 'default', profile)
  const peers = options.peers ?? scenario.peers
  if (!Number.isInteger(peers) || peers < peerLimits.min || peers > peerLimits.max) {
    throw new P2pdError(
      'ERR_USAGE',
      `a testnet has ${peerLimits.min} to ${peerLimits.max} peers, not ${peers}`,
    )
  }
  assertPeers(scenario, peers)
  const { network, family } = scenario
  const cluster = await Cluster.create({
    ...{ peers, profile, network, family },
    env: { ...io.env },
    signal: io.signal,
  })
  const reporter = options.json ? jsonReporter(io.stdout) : textReporter(io)
  let keepsFolder = false
  try {
    reporter.start(scenario, peers)
    const verdict = await judge(cluster, scenario, reporter)
    keepsFolder = verdict.verdict === 'fail'
    if (keepsFolder) await saveHistory(cluster)
    reporter.verdict(verdict)
    if (options.keep) await keepRunning(cluster, io, reporter)
    return keepsFolder ? 1 : 0
  } catch (error) {
    reporter.abandon()
    throw error
  } finally {
    await cluster.close()
    if (!keepsFolder) await cluster.removeFolder()
  }
}

async function judge(cluster: Cluster, scenario: Scenario, reporter: Reporter): Promise<TestnetVerdict> {
  const { recorder } = cluster
  const loadBefore = loadNow()
  let traffic: Traffic | null = null
  /** What is waited for or done. */
  let doing: string | null = null
  const listener: PhaseListener = {
    begin(text) {
      doing = text
      reporter.begin(text)
    },
    end(phase) {
      doing = null
      reporter.end(phase)
    },
  }
  const failed = await failureOf(async () => {
    await runScenario(cluster, scenario, listener)
    listener.begin('waiting until everybody has everything')
    await beQuiet(cluster)
    doing = null
    traffic = await measureTraffic(cluster)
  })
  const failure = failed === null ? null : { ...failed, step: doing }
  const shown: readonly Shown[] | null = failure === null ? null : shownNow(cluster)
  const tookMs = Math.round(recorder.now())
  recorder.record({ type: 'end' })
  reporter.begin('judging the recorded history')
  const history = recorder.history()
  const membership = checkMembership(history, scenario.bounds)
  const talked = cluster.groups.any
  const quietAtEnd = failure === null
  const multicast = talked ? checkMulticast(recorder.groupHistory(), { liars: [], quietAtEnd }) : null
  const mutex = cluster.locks.any ? checkMutex(cluster.locks.history(), { ...lockBounds, quietAtEnd }) : null
  const violations = [
    ...[membership, multicast, mutex].flatMap((checked) => checked?.violations ?? []),
    ...checkProhibitions(history, scenario.never),
    ...checkMedian(history, scenario.bounds.medianDetectionMs),
  ].sort((a, b) => a.at - b.at)
  const verdict = failure === null && violations.length === 0 ? 'pass' : 'fail'
  return {
    verdict,
    scenario: scenario.name,
    peers: cluster.members.length,
    tookMs,
    violations,
    failure,
    shown,
    load: loadSince(loadBefore),
    figures: membership.figures,
    times: noticeTimes(history),
    multicast: multicast === null ? null : { ...multicast.figures, gaps: gapFigures(cluster.groups.gaps()) },
    mutex: mutex === null ? null : mutex.figures,
    excerpt: excerpt(cluster.groups.firstTalk(), cluster.members.length),
    names: recorder.names(),
    traffic,
    folder: verdict === 'pass' ? null : cluster.folder,
  }
}

/** Everybody who runs has everything: before that nobody's silence is a fault. */
async function beQuiet(cluster: Cluster): Promise<void> {
  const names = cluster.running().map(({ name }) => name)
  await cluster.until(() => cluster.groups.missing(names), quietWithinMs)
}

function gapFigures(gaps: readonly Gap[]): GapFigures {
  const closed = gaps.flatMap(({ at, closedAt }) => (closedAt === undefined ? [] : [closedAt - at]))
  const ms = closed.sort((a, b) => a - b)
  return {
    seen: gaps.length,
    medianMs: ms[Math.floor((ms.length - 1) / 2)] ?? null,
    longestMs: ms.at(-1) ?? null,
  }
}

/** An interruption and a defect of the harness are no verdict, and go up. */
async function failureOf(run: () => Promise<void>): Promise<Pick<P2pdError, 'code' | 'message'> | null> {
  try {
    await run()
    return null
  } catch (error) {
    if (!(error instanceof P2pdError) || error.code === 'ERR_SCENARIO') throw error
    return { code: error.code, message: error.message }
  }
}

async function saveHistory(cluster: Cluster): Promise<void> {
  const events = [...cluster.recorder.groupHistory(), ...cluster.locks.history()]
  const lines = events.toSorted((a, b) => a.at - b.at).map((event) => `${JSON.stringify(event)}\n`)
  await writeFile(join(cluster.folder, 'history.jsonl'), lines.join(''))
}

async function keepRunning(cluster: Cluster, io: TestnetIo, reporter: Reporter): Promise<void> {
  const running = cluster.running()
  if (running.length === 0) return
  reporter.keep(cluster.folder, running)
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve()
    io.signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

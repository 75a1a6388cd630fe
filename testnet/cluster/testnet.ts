/**
 * A testnet: real daemons on this machine are put through a scenario, and
 * checkers that share no code with them judge what they showed.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Violation } from '../checkers/history.ts'
import { checkMembership, type MembershipFigures } from '../checkers/membership.ts'
import { Cluster, type Member } from './cluster.ts'
import { createProgress, type Environment, type Output, type Progress } from './progress.ts'
import { type Phase, runScenario } from './runner.ts'
import { loadScenario, type Scenario } from './scenario.ts'
import { assertPeers, peerLimits } from './scenario-format.ts'

export interface TestnetOptions {
  /** 3 to 20; undefined leaves it to the scenario. */
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

export interface TestnetIo {
  readonly stdout: Output
  readonly stderr: Output
  readonly env: Environment
  /** Ends the testnet, cleanly. */
  readonly signal: AbortSignal
}

export interface TestnetVerdict {
  readonly verdict: 'pass' | 'fail'
  readonly scenario: string
  readonly peers: number
  readonly tookMs: number
  readonly violations: readonly Violation[]
  /** Why the scenario could not be carried out to its end; null when it was. */
  readonly failure: { readonly code: string; readonly message: string } | null
  readonly figures: MembershipFigures
  /** Logs and history; null when they were removed. */
  readonly folder: string | null
}

const properties =
  'completeness, accuracy, no resurrection, rising generations, convergence, left only by own will, no strangers'

/** Gives the exit code: 0 only if every check held. Throws before anything is started, and when interrupted. */
export async function runTestnet(options: TestnetOptions, io: TestnetIo): Promise<number> {
  const scenario = await loadScenario(options.scenario ?? 'default')
  const peers = options.peers ?? scenario.peers
  if (!Number.isInteger(peers) || peers < peerLimits.min || peers > peerLimits.max) {
    throw new P2pdError(
      'ERR_USAGE',
      `a testnet has ${peerLimits.min} to ${peerLimits.max} peers, not ${peers}`,
    )
  }
  assertPeers(scenario, peers)
  const profile = options.profile ?? 'local'
  const cluster = await Cluster.create({ peers, profile, env: { ...io.env }, signal: io.signal })
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
  } finally {
    await cluster.close()
    if (!keepsFolder) await cluster.removeFolder()
  }
}

async function judge(cluster: Cluster, scenario: Scenario, reporter: Reporter): Promise<TestnetVerdict> {
  const { recorder } = cluster
  const failure = await failureOf(runScenario(cluster, scenario, reporter))
  const tookMs = Math.round(recorder.now())
  recorder.record({ type: 'end' })
  reporter.begin('judging the recorded history')
  const { violations, figures } = checkMembership(recorder.history(), scenario.bounds)
  const verdict = failure === null && violations.length === 0 ? 'pass' : 'fail'
  return {
    verdict,
    scenario: scenario.name,
    peers: cluster.members.length,
    tookMs,
    violations,
    failure,
    figures,
    folder: verdict === 'pass' ? null : cluster.folder,
  }
}

/** An interruption and a defect of the harness are no verdict, and go up. */
async function failureOf(run: Promise<void>): Promise<TestnetVerdict['failure']> {
  try {
    await run
    return null
  } catch (error) {
    if (!(error instanceof P2pdError) || error.code === 'ERR_SCENARIO') throw error
    return { code: error.code, message: error.message }
  }
}

async function saveHistory(cluster: Cluster): Promise<void> {
  const lines = cluster.recorder.history().map((event) => `${JSON.stringify(event)}\n`)
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

interface Reporter {
  start(scenario: Scenario, peers: number): void
  begin(text: string): void
  end(phase: Phase): void
  keep(folder: string, running: readonly Member[]): void
  verdict(verdict: TestnetVerdict): void
}

function jsonReporter(stdout: Output): Reporter {
  const print = (value: unknown): void => void stdout.write(`${JSON.stringify(value)}\n`)
  return {
    start: ({ name }, peers) => print({ phase: 'begin', scenario: name, peers }),
    begin: () => {},
    end: ({ phase, peer, figures }) => print({ phase, ...(peer === undefined ? {} : { peer }), ...figures }),
    keep: (folder, running) =>
      print({ phase: 'keep', folder, peers: running.map(({ name, dataDir }) => ({ name, dataDir })) }),
    verdict: print,
  }
}

function textReporter({ stdout, stderr, env }: TestnetIo): Reporter {
  const progress: Progress = createProgress(stderr, env)
  const print = (line: string): void => void stdout.write(`${line}\n`)
  return {
    start({ name, summary }, peers) {
      progress.note(`testnet '${name}', ${peers} peers. ${summary}.`)
    },
    begin: (text) => progress.begin(text),
    end: ({ text }) => progress.end('ok', text),
    keep(folder, running) {
      print(`The cluster goes on running until Ctrl-C; its logs are in ${folder}. Talk to its peers:`)
      for (const { dataDir } of running) print(`  p2pd members --data ${dataDir}`)
    },
    verdict(verdict) {
      const passed = verdict.verdict === 'pass'
      const { figures, violations, failure } = verdict
      if (failure !== null) progress.end('failed', failure.message)
      progress.end(passed ? 'ok' : 'failed', `judged ${figures.events} events: ${properties}`)
      for (const { property, at, message } of violations.slice(0, 20)) {
        print(`  ${property} at ${Math.round(at)} ms: ${message}`)
      }
      if (violations.length > 20) print(`  and ${violations.length - 20} more`)
      if (verdict.folder !== null) print(`Logs and history.jsonl are kept in ${verdict.folder}.`)
      const suspicions = `${figures.falseSuspicions} false suspicion${figures.falseSuspicions === 1 ? '' : 's'}`
      print(
        `${passed ? 'PASS' : 'FAIL'}: ${verdict.peers} peers, ${violations.length} violations, ${suspicions}, ${(verdict.tookMs / 1000).toFixed(1)} s`,
      )
    },
  }
}

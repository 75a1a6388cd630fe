/** What a run tells: progress while it goes on, figures and a verdict at its end. */
import { basename, relative } from 'node:path'
import {
  type MutexFigures,
  mutexProperties,
  outsideProperties,
} from '../../plugins/mutex/checker/fenced-mutex.ts'
import type { Violation } from '../checkers/history.ts'
import { type MembershipFigures, membershipProperties } from '../checkers/membership.ts'
import { type MulticastFigures, multicastProperties } from '../checkers/multicast.ts'
import type { NoticeTimes } from '../checkers/times.ts'
import { diagram } from '../spacetime/diagram.ts'
import type { TraceEvent } from '../spacetime/trace-event.ts'
import { type Load, type Shown, shownLines, wasBusy } from './circumstances.ts'
import { program } from './cluster.ts'
import type { Member } from './member.ts'
import type { Phase } from './phase.ts'
import { createProgress, type Environment, type Output, type Progress } from './progress.ts'
import type { Scenario } from './scenario.ts'
import type { Traffic } from './traffic.ts'

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
  /** Why the scenario could not be carried out to its end, and in which step; null when it was. */
  readonly failure: {
    readonly code: string
    readonly message: string
    readonly step: string | null
  } | null
  /** What everybody showed when it failed; null when it did not. */
  readonly shown: readonly Shown[] | null
  readonly load: Load
  readonly figures: MembershipFigures
  /** How soon ends, freezes and heals were noticed. */
  readonly times: NoticeTimes
  /** Null when nothing was said in any group. */
  readonly multicast: (MulticastFigures & { readonly gaps: GapFigures }) | null
  /** Null when nobody asked for any lock. */
  readonly mutex: MutexFigures | null
  /** A piece of what was said, to be drawn. */
  readonly excerpt: readonly TraceEvent[]
  /** Of the peer ids in it. */
  readonly names: ReadonlyMap<string, string>
  /** Null when the scenario was not carried out to its end. */
  readonly traffic: Traffic | null
  /** Logs and history; null when they were removed. */
  readonly folder: string | null
}

/** Messages that a daemon knew to be missing, and how long they took to come. */
export interface GapFigures {
  readonly seen: number
  readonly medianMs: number | null
  readonly longestMs: number | null
}

const maxListed = 20

type Judged = 'membership' | 'multicast' | 'mutex'

/** Whose property it is; what neither multicast nor locks promise membership does. */
const judges: ReadonlyMap<string, Judged> = new Map([
  ...multicastProperties.map((property) => [property, 'multicast'] as const),
  ...mutexProperties.map((property) => [property, 'mutex'] as const),
])

type Line = readonly [what: string, figures: string]

export interface Reporter {
  start(scenario: Scenario, peers: number): void
  begin(text: string): void
  end(phase: Phase): void
  keep(folder: string, running: readonly Pick<Member, 'name' | 'dataDir'>[]): void
  verdict(verdict: TestnetVerdict): void
  /** There will be no verdict. */
  abandon(): void
}

export function jsonReporter(stdout: Output): Reporter {
  const print = (value: unknown): void => void stdout.write(`${JSON.stringify(value, rounded)}\n`)
  return {
    start: ({ name }, peers) => print({ phase: 'begin', scenario: name, peers }),
    begin: () => {},
    end: ({ phase, peer, figures }) => print({ phase, ...(peer === undefined ? {} : { peer }), ...figures }),
    keep: (folder, running) =>
      print({ phase: 'keep', folder, peers: running.map(({ name, dataDir }) => ({ name, dataDir })) }),
    // The diagram is for people.
    verdict: ({ excerpt: _excerpt, names: _names, ...verdict }) => print(verdict),
    abandon: () => {},
  }
}

/** Progress on stderr; the summary, which is the data, on stdout. */
export function textReporter({ stdout, stderr, env }: TestnetIo): Reporter {
  const progress: Progress = createProgress(stderr, env)
  const print = (line: string): void => void stdout.write(`${line}\n`)
  const measured: Line[] = []
  return {
    start({ name, summary }, peers) {
      progress.note(`Testnet '${name}' with ${peers} peers. ${summary}.`)
    },
    begin: (text) => progress.begin(text),
    end({ text, summary }) {
      progress.end('ok', text)
      if (summary !== undefined) measured.push(summary)
    },
    keep(folder, running) {
      print(`The cluster goes on running until Ctrl-C; its logs are in ${folder}. Talk to its peers:`)
      for (const { dataDir } of running) print(`  ${commandName()} members --data ${dataDir}`)
      const [reader, author] = running
      if (reader === undefined || author === undefined) return
      print('Let them talk, in two terminals:')
      print(`  ${commandName()} sub all --data ${reader.dataDir}`)
      print(`  ${commandName()} pub all hello --data ${author.dataDir}`)
      print('Let them contend, in two terminals:')
      for (const { dataDir } of [reader, author]) {
        print(`  ${commandName()} lock demo --data ${dataDir} -- sleep 10`)
      }
    },
    verdict(verdict) {
      const { failure, figures, violations } = verdict
      if (failure !== null) progress.end('failed', failureText(failure))
      const broken = new Set(violations.map(({ property }) => judges.get(property) ?? 'membership'))
      const judged = (what: Judged, text: string, properties: readonly string[]): void =>
        progress.end(broken.has(what) ? 'failed' : 'ok', `judged ${text}: ${properties.join(', ')}`)
      judged('membership', `${figures.events} events`, membershipProperties)
      if (verdict.multicast !== null) {
        const { messages, deliveries } = verdict.multicast
        judged('multicast', `${deliveries} deliveries of ${messages} messages`, multicastProperties)
      }
      if (verdict.mutex !== null) {
        const { entries, requests } = verdict.mutex
        judged('mutex', `${entries} entries of ${requests} requests for locks`, outsideProperties)
      }
      for (const line of summaryOf(verdict, measured)) print(line)
      if (verdict.excerpt.length === 0) return
      print('')
      for (const line of diagram(verdict.excerpt, { names: verdict.names, ascii: !showsUtf8(env) }))
        print(line)
    },
    abandon: () => progress.clear(),
  }
}

/** As somebody can type it: a clone that is not installed has no `p2pd` on the path. */
function commandName(): string {
  if (basename(process.argv[1] ?? '') === 'p2pd') return 'p2pd'
  return `node ${relative(process.cwd(), program)}`
}

function summaryOf(
  {
    verdict,
    scenario,
    peers,
    tookMs,
    violations,
    failure,
    shown,
    load,
    figures,
    times,
    multicast: said,
    mutex,
    traffic,
    folder,
  }: TestnetVerdict,
  measured: readonly Line[],
): readonly string[] {
  const table = [
    ...measured,
    ...timeLines(times),
    ...(said === null ? [] : multicastLines(said)),
    ...(mutex === null ? [] : [mutexLine(mutex)]),
    ...(traffic === null ? [] : [trafficLine(traffic)]),
  ]
  const widest = Math.max(...table.map(([what]) => what.length))
  const { falseSuspicions, refuted, events } = figures
  const counts = [
    `${events} events judged`,
    count(violations.length, 'violation'),
    `${count(falseSuspicions, 'false suspicion')}${falseSuspicions > 0 ? ` (${refuted} refuted)` : ''}`,
  ]
  return [
    `${verdict === 'pass' ? 'PASS' : 'FAIL'}  ${scenario}, ${peers} peers, ${(tookMs / 1000).toFixed(1)} s: ${counts.join(', ')}`,
    ...table.map(([what, found]) => `  ${what.padEnd(widest)}  ${found}`),
    ...(failure === null ? [] : [`  failed: ${failure.code}: ${failureText(failure)}`]),
    ...shownLines(shown ?? []).map((line) => `    ${line}`),
    ...violations
      .slice(0, maxListed)
      .map(({ property, at, message }) => `  ${property} at ${Math.round(at)} ms: ${message}`),
    ...(violations.length > maxListed ? [`  and ${violations.length - maxListed} more violations`] : []),
    ...(verdict === 'fail' && wasBusy(load) ? [busyText(load)] : []),
    ...(folder === null
      ? []
      : [`Logs (n1.log …) and the recorded history (history.jsonl) are kept in ${folder}.`]),
  ]
}

function failureText({ step, message }: NonNullable<TestnetVerdict['failure']>): string {
  return step === null ? message : `${step}: ${message}`
}

function busyText({ cores, before }: Load): string {
  const machine = `load ${before} on ${count(cores, 'core')} before it began`
  return `The machine was busy (${machine}): who gets no processor is rightly called slow. Try it on a calm one.`
}

const noticed: Readonly<Record<keyof NoticeTimes, readonly [what: string, since: string]>> = {
  killed: ['deaths', 'from SIGKILL or power cut until shown dead'],
  stopped: ['stops', 'from SIGTERM until shown left'],
  left: ['departures', 'from asking to leave until shown left'],
  stalled: ['stalls', 'from SIGSTOP until shown stalled'],
  healed: ['heals', 'from mending until shown alive'],
}

function timeLines(times: NoticeTimes): readonly Line[] {
  return (Object.keys(noticed) as (keyof NoticeTimes)[]).flatMap((kind): readonly Line[] => {
    const found = times[kind]
    if (found === null) return []
    const [what, since] = noticed[kind]
    const { medianMs, worstMs, count: rows } = found
    return [[what, `median ${ms(medianMs)}, worst ${ms(worstMs)} ${since}, of ${count(rows, 'row')}`]]
  })
}

function multicastLines(figures: NonNullable<TestnetVerdict['multicast']>): readonly Line[] {
  const { messages, deliveries, inversions, medianWaitMs, longestWaitMs, catchUps, gaps } = figures
  const waits = `median ${ms(medianWaitMs)}, longest ${ms(longestWaitMs)}`
  const absences = catchUps.filter((catchUp) => catchUp.missed > 0)
  const repairs = absences.map(({ ms: took }) => took).sort((a, b) => a - b)
  const median = repairs[Math.floor((repairs.length - 1) / 2)] ?? null
  const missed = absences.reduce((total, catchUp) => total + catchUp.missed, 0)
  const returns = `${missed} messages missed in ${count(absences.length, 'absence')}`
  const closed = `${count(gaps.seen, 'gap')}, closed after median ${ms(gaps.medianMs)}, longest ${ms(gaps.longestMs)}`
  return [
    ['multicast', `${deliveries} deliveries of ${messages} messages, ${count(inversions, 'inversion')}`],
    ['latency', `${waits}, from asking to publish until delivered elsewhere`],
    ...(repairs.length === 0
      ? []
      : [
          [
            'repair',
            `${returns}, had after median ${ms(median)}, longest ${ms(repairs.at(-1) ?? null)}`,
          ] as const,
        ]),
    ...(gaps.seen === 0 ? [] : [['gaps', closed] as const]),
  ]
}

function mutexLine(figures: MutexFigures): Line {
  const { entries, requests, highestToken, shown, refused, lost, noQuorum } = figures
  const outcomes = [
    `${entries} entries of ${requests} requests`,
    `tokens up to ${highestToken ?? 0}`,
    `${shown} writes with them`,
    ...(refused > 0 ? [`${refused} refused as old`] : []),
    ...(lost > 0 ? [`${count(lost, 'lock')} lost`] : []),
    ...(noQuorum > 0 ? [`${count(noQuorum, 'request')} refused without a quorum`] : []),
  ]
  return ['mutex', outcomes.join(', ')]
}

/** Of the locale that programs go by; a terminal that says nothing of it is taken for a modern one. */
function showsUtf8({ LC_ALL, LC_CTYPE, LANG }: Environment): boolean {
  const locale = LC_ALL || LC_CTYPE || LANG
  return locale === undefined || locale === '' || /utf-?8/i.test(locale)
}

function ms(value: number | null): string {
  return value === null ? 'unknown' : `${Math.round(value)} ms`
}

function trafficLine({ daemons, framesSent, bytesSent }: Traffic): Line {
  const each = `${Math.round(framesSent / daemons)} frames, ${Math.round(bytesSent / daemons / 1000)} kB`
  // Gossip has streams of its own, which are not counted.
  return ['traffic', `${each} sent by a daemon beside gossip, ${daemons} measured`]
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}

/** Milliseconds are not known any better than that; indices, between 0 and 1, are. */
function rounded(key: string, value: unknown): unknown {
  if (typeof value !== 'number') return value
  const steps = key === 'jain' ? 1000 : 10
  return Math.round(value * steps) / steps
}

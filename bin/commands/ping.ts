import { setTimeout as delay } from 'node:timers/promises'
import { ControlClient } from '../../daemon/client/client.ts'
import { exitCodes } from '../../daemon/exit-code.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { formatRtt } from '../duration.ts'
import { describePeer } from '../peer-id.ts'
import { printable } from '../style.ts'

interface Options {
  readonly count?: number
  readonly interval?: number
  readonly timeout?: number
}

/** What `--json` prints: one object, also when Ctrl-C cut it short. */
export interface PingReport {
  readonly peerId: string | null
  readonly name: string | null
  readonly sent: number
  readonly received: number
  /** One a round trip sent, in order; null for one without an answer. */
  readonly rttsMs: readonly (number | null)[]
  /** Null when there was no answer. */
  readonly minMs: number | null
  readonly avgMs: number | null
  readonly maxMs: number | null
  /** The mean deviation from `avgMs`. */
  readonly mdevMs: number | null
}

const defaultCount = 4
const defaultIntervalMs = 1000
const defaultTimeoutMs = 5000

export async function run(context: Context, args: readonly string[], options: Options): Promise<number> {
  const [peer = ''] = args
  const count = options.count ?? defaultCount
  const timeoutMs = options.timeout ?? defaultTimeoutMs
  const client = ControlClient.open(context.dataDir)
  const rttsMs: (number | null)[] = []
  let target: { readonly peerId: string; readonly name: string } | undefined
  try {
    for (let seq = 1; seq <= count; seq++) {
      if (seq > 1) await delay(options.interval ?? defaultIntervalMs, undefined, { signal: context.signal })
      const answer = await client.ping({ peer, timeoutMs }, { signal: context.signal }).catch(unanswered)
      target ??= answer
      rttsMs.push(answer ? toMicroseconds(answer.rttMs) : null)
      if (!context.json) printLine(context.stdout, renderReply(seq, answer, peer))
    }
  } catch (error) {
    // Ctrl-C ends the series, as with ping(8); the exit code says so all the same.
    if (!context.signal.aborted) throw error
  }
  const report = summarise(target, rttsMs)
  if (context.json) printJson(context.stdout, report)
  else for (const line of renderSummary(report, peer)) printLine(context.stdout, line)
  if (report.received > 0 || context.signal.aborted) return exitCodes.ok
  throw new P2pdError('ERR_TIMEOUT', `no answer from ${peer}`, {
    hint: "'p2pd members' shows what is known of it",
  })
}

const lost: ReadonlySet<string> = new Set(['ERR_TIMEOUT', 'ERR_NO_ANSWER', 'ERR_NOT_CONNECTED'])

/** A lost round trip is a result; everything else is a failure. */
function unanswered(error: unknown): undefined {
  if (error instanceof P2pdError && lost.has(error.code)) return undefined
  throw error
}

export function summarise(
  target: { readonly peerId: string; readonly name: string } | undefined,
  rttsMs: readonly (number | null)[],
): PingReport {
  const answered = rttsMs.filter((rttMs) => rttMs !== null)
  const none = answered.length === 0
  const avgMs = answered.reduce((sum, rttMs) => sum + rttMs, 0) / answered.length
  const mdevMs = answered.reduce((sum, rttMs) => sum + Math.abs(rttMs - avgMs), 0) / answered.length
  return {
    peerId: target?.peerId ?? null,
    name: target?.name ?? null,
    sent: rttsMs.length,
    received: answered.length,
    rttsMs,
    minMs: none ? null : Math.min(...answered),
    avgMs: none ? null : toMicroseconds(avgMs),
    maxMs: none ? null : Math.max(...answered),
    mdevMs: none ? null : toMicroseconds(mdevMs),
  }
}

/** Digits beyond are noise. */
function toMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000
}

export function renderReply(
  seq: number,
  answer: { readonly peerId: string; readonly name: string; readonly rttMs: number } | undefined,
  peer: string,
): string {
  return printable(
    answer
      ? `answer from ${describePeer(answer)}: seq=${seq} time=${formatRtt(answer.rttMs)}`
      : `no answer from ${peer}: seq=${seq}`,
  )
}

export function renderSummary(report: PingReport, peer: string): string[] {
  const { sent, received, minMs, avgMs, maxMs, mdevMs } = report
  const lostPercent = sent === 0 ? 0 : Math.round((1 - received / sent) * 100)
  const lines = [
    printable(`--- ${report.name || peer} ---`),
    `${sent} sent, ${received} received, ${lostPercent}% lost`,
  ]
  if (minMs !== null && avgMs !== null && maxMs !== null && mdevMs !== null) {
    lines.push(`rtt min/avg/max/mdev = ${[minMs, avgMs, maxMs, mdevMs].map(formatRtt).join('/')}`)
  }
  return lines
}

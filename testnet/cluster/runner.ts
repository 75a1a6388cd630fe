/** Carries out a scenario's steps on a cluster, and says of each what came of it. */
import { P2pdError } from '../../lib/wire/errors.ts'
import { checkCompleteness } from '../checkers/completeness.ts'
import type { Cluster } from './cluster.ts'
import { type Expectation, oneView, shown } from './expectations.ts'
import type { Deed, Scenario } from './scenario.ts'

/** One step that was carried out. `figures` are milliseconds where their name ends in `Ms`. */
export interface Phase {
  readonly phase: string
  readonly peer?: string
  /** For people. */
  readonly text: string
  readonly figures: Readonly<Record<string, number>>
}

export interface PhaseListener {
  begin(text: string): void
  end(phase: Phase): void
}

/** An outsider is refused long before this, ms. */
const refusalWithinMs = 5000

/** Throws ERR_TESTNET when a step does not come to what it waits for. */
export async function runScenario(
  cluster: Cluster,
  scenario: Scenario,
  listener: PhaseListener,
): Promise<void> {
  for (const step of scenario.steps) {
    if (step.do !== 'each') {
      await runDeed(cluster, scenario, step, listener)
      continue
    }
    for (const { name } of cluster.members) {
      for (const deed of step.steps) await runDeed(cluster, scenario, withPeer(deed, name), listener)
    }
  }
}

function withPeer(deed: Deed, name: string): Deed {
  return 'peer' in deed && deed.peer === 'it' ? { ...deed, peer: name } : deed
}

async function runDeed(
  cluster: Cluster,
  scenario: Scenario,
  deed: Deed,
  listener: PhaseListener,
): Promise<void> {
  cluster.check()
  switch (deed.do) {
    case 'form':
      return await form(cluster, deed.withinMs, listener)
    case 'kill': {
      listener.begin(`killing ${deed.peer} with SIGKILL`)
      await cluster.kill(deed.peer)
      return end(listener, deed, `${deed.peer} killed with SIGKILL`, {})
    }
    case 'stop': {
      listener.begin(`stopping ${deed.peer} with SIGTERM`)
      const endedMs = await cluster.stop(deed.peer)
      return end(listener, deed, `${deed.peer} stopped with SIGTERM, ended after ${whole(endedMs)} ms`, {
        endedMs,
      })
    }
    case 'leave': {
      listener.begin(`${deed.peer} leaves`)
      const endedMs = await cluster.leave(deed.peer)
      return end(listener, deed, `${deed.peer} left, ended after ${whole(endedMs)} ms`, { endedMs })
    }
    case 'start':
      return await start(cluster, deed.peer, listener)
    case 'pause':
    case 'resume': {
      if (deed.do === 'pause') cluster.pause(deed.peer)
      else cluster.resume(deed.peer)
      return end(listener, deed, `${deed.peer} ${deed.do}d`, {})
    }
    case 'expect':
      return await expect(cluster, scenario, deed, listener)
    case 'settle': {
      const beganAt = cluster.recorder.now()
      listener.begin('waiting for one view')
      await cluster.until(() => oneView(cluster), deed.withinMs)
      const settledMs = cluster.recorder.now() - beganAt
      return end(
        listener,
        deed,
        `one view of ${cluster.running().length} peers, after ${whole(settledMs)} ms`,
        {
          settledMs,
        },
      )
    }
    case 'watch': {
      listener.begin(`watching for ${deed.forMs} ms`)
      await cluster.watch(deed.forMs)
      return end(listener, deed, `watched for ${deed.forMs} ms`, { forMs: deed.forMs })
    }
    case 'outsider':
      return await outsider(cluster, deed.name, listener)
    default:
      deed satisfies never
  }
}

async function form(cluster: Cluster, withinMs: number, listener: PhaseListener): Promise<void> {
  const peers = cluster.members.length
  listener.begin(`starting ${peers} daemons`)
  const readyMs = await cluster.found()
  const firstMs = Math.min(...readyMs)
  const lastMs = Math.max(...readyMs)
  listener.end({
    phase: 'start',
    text: `${peers} daemons ready, each within ${seconds(firstMs)} to ${seconds(lastMs)} of its start`,
    figures: { peers, readyFirstMs: round(firstMs), readyLastMs: round(lastMs) },
  })
  const readyAt = cluster.recorder.now()
  listener.begin('waiting for one view')
  await cluster.until(() => oneView(cluster), withinMs)
  const convergenceMs = cluster.recorder.now() - readyAt
  listener.end({
    phase: 'form',
    text: `every peer shows all ${peers} alive, ${whole(convergenceMs)} ms after the last was ready`,
    figures: { peers, convergenceMs: round(convergenceMs) },
  })
}

async function start(cluster: Cluster, peer: string, listener: PhaseListener): Promise<void> {
  listener.begin(`starting ${peer} again`)
  const readyMs = await cluster.start(peer)
  const { generation, previousGeneration } = cluster.member(peer)
  if (generation <= previousGeneration) {
    throw new P2pdError(
      'ERR_TESTNET',
      `${peer} came back with generation ${generation}, not above ${previousGeneration}`,
    )
  }
  end(
    listener,
    { do: 'start', peer },
    `${peer} ready again after ${seconds(readyMs)}, in a higher generation`,
    {
      readyMs,
      generation,
      previousGeneration,
    },
  )
}

async function expect(
  cluster: Cluster,
  scenario: Scenario,
  deed: Expectation,
  listener: PhaseListener,
): Promise<void> {
  const { peer, status } = deed
  const { recorder } = cluster
  const beganAt = recorder.now()
  listener.begin(`waiting for ${peer} to be shown ${status} everywhere`)
  await cluster.until(() => shown(cluster, deed), deed.withinMs)
  if (status === 'alive') {
    const shownMs = recorder.now() - beganAt
    return end(listener, deed, `${peer} shown alive everywhere, ${whole(shownMs)} ms after it was ready`, {
      shownMs,
    })
  }
  const { detections } = checkCompleteness(recorder.history(), scenario.bounds).figures
  const detection = detections.findLast((candidate) => candidate.peer === peer)
  const { firstMs = 0, lastMs = 0, noticed = 0 } = detection ?? {}
  const reason = deed.reason === undefined ? '' : ` (${deed.reason})`
  end(
    listener,
    deed,
    `${peer} shown ${status}${reason} by all ${noticed} others, the first after ${whole(firstMs)} ms, the last after ${whole(lastMs)} ms`,
    { firstMs, lastMs, observers: noticed },
  )
}

async function outsider(cluster: Cluster, name: string, listener: PhaseListener): Promise<void> {
  listener.begin(`${name} starts with another secret and tries to join`)
  const target = cluster.running()[0]
  if (target === undefined)
    throw new P2pdError('ERR_SCENARIO', 'nobody runs whom an outsider could try to join')
  const { addresses } = await target.client.status()
  const stranger = await cluster.startStranger(name)
  const answer = await stranger.client.join({ addresses, timeoutMs: refusalWithinMs }).then(
    () => 'let in',
    (error: unknown) => error,
  )
  if (!(answer instanceof P2pdError))
    throw new P2pdError('ERR_TESTNET', `${name} was let in by ${target.name}`)
  const { members } = await stranger.client.members()
  if (members.length !== 1) {
    throw new P2pdError('ERR_TESTNET', `${name} sees ${members.length - 1} members of the cluster`)
  }
  end(
    listener,
    { do: 'outsider', peer: name },
    `${name} has another secret and was refused (${answer.code})`,
    {},
  )
}

function end(
  listener: PhaseListener,
  deed: { readonly do: string; readonly peer?: string },
  text: string,
  figures: Readonly<Record<string, number>>,
): void {
  const rounded = Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, round(value)]))
  listener.end({
    phase: deed.do,
    ...(deed.peer === undefined ? {} : { peer: deed.peer }),
    text,
    figures: rounded,
  })
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function whole(ms: number): string {
  return String(Math.round(ms))
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

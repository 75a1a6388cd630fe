/** Carries out a scenario's steps on a cluster, and says of each what came of it. */
import { P2pdError } from '../../lib/wire/errors.ts'
import { checkCompleteness } from '../checkers/completeness.ts'
import { checkConvergence } from '../checkers/convergence.ts'
import type { Cluster } from './cluster.ts'
import { type Expectation, oneView, shown } from './expectations.ts'
import { runLock } from './lock-phases.ts'
import { type Phase, type PhaseListener, seconds, whole } from './phase.ts'
import type { Deed, Scenario } from './scenario.ts'
import { Talk, type TalkDeed } from './talk.ts'

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
  if (deed.do === 'talk' && deed.during !== undefined) {
    return { ...deed, during: deed.during.map((inner) => withPeer(inner, name)) }
  }
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
      listener.end(await startAll(cluster, listener))
      return listener.end(await agree(cluster, scenario, deed.withinMs, listener))
    case 'kill':
      return listener.end(await kill(cluster, deed.peer, listener))
    case 'stop':
    case 'leave':
      return listener.end(await depart(cluster, deed.do, deed.peer, listener))
    case 'start':
      return listener.end(await restart(cluster, deed.peer, listener))
    case 'pause':
    case 'resume':
      return listener.end(signal(cluster, deed.do, deed.peer))
    case 'expect':
      return listener.end(
        deed.status === 'alive'
          ? await seeAlive(cluster, deed, listener)
          : await seeGone(cluster, scenario, deed, listener),
      )
    case 'settle':
      return listener.end(await settle(cluster, deed.withinMs, listener))
    case 'watch':
      return listener.end(await watch(cluster, deed.forMs, listener))
    case 'talk':
      return listener.end(
        await talk(cluster, deed, listener, (inner) => runDeed(cluster, scenario, inner, listener)),
      )
    case 'lock':
      return await runLock(cluster, deed, listener)
    case 'catch-up':
      return listener.end(await catchUp(cluster, deed.peer, deed.withinMs, listener))
    case 'outsider':
      return listener.end(await refuse(cluster, deed.name, listener))
    default:
      deed satisfies never
  }
}

async function startAll(cluster: Cluster, listener: PhaseListener): Promise<Phase> {
  const peers = cluster.members.length
  listener.begin(`starting ${peers} daemons`)
  const readyMs = await cluster.found()
  const readyFirstMs = Math.min(...readyMs)
  const readyLastMs = Math.max(...readyMs)
  const took = `${seconds(readyFirstMs)} to ${seconds(readyLastMs)}`
  return {
    phase: 'start',
    text: `${peers} daemons ready, each ${took} after its start`,
    summary: ['ready', took],
    figures: { peers, readyFirstMs, readyLastMs },
  }
}

async function agree(
  cluster: Cluster,
  { bounds }: Scenario,
  withinMs: number,
  listener: PhaseListener,
): Promise<Phase> {
  const peers = cluster.members.length
  listener.begin('waiting for one view')
  await cluster.until(() => oneView(cluster), withinMs)
  const { agreements } = checkConvergence(cluster.recorder.history(), bounds).figures
  const convergenceMs = agreements.findLast(({ after }) => after === 'ready')?.ms ?? 0
  const took = `${whole(convergenceMs)} after the last was ready`
  return {
    phase: 'form',
    text: `every peer shows all ${peers} alive, ${took}`,
    summary: ['one view', took],
    figures: { peers, convergenceMs },
  }
}

async function kill(cluster: Cluster, peer: string, listener: PhaseListener): Promise<Phase> {
  listener.begin(`killing ${peer} with SIGKILL`)
  await cluster.kill(peer)
  return { phase: 'kill', peer, text: `${peer} killed with SIGKILL`, figures: {} }
}

async function depart(
  cluster: Cluster,
  how: 'stop' | 'leave',
  peer: string,
  listener: PhaseListener,
): Promise<Phase> {
  const what = how === 'stop' ? `${peer} told to stop with SIGTERM` : `${peer} told to leave`
  listener.begin(what)
  const endedMs = await (how === 'stop' ? cluster.stop(peer) : cluster.leave(peer))
  return {
    phase: how,
    peer,
    text: `${what}, ended ${whole(endedMs)} later`,
    summary: [`${peer} ${how === 'stop' ? 'stopped' : 'left'}`, `ended after ${whole(endedMs)}`],
    figures: { endedMs },
  }
}

async function restart(cluster: Cluster, peer: string, listener: PhaseListener): Promise<Phase> {
  listener.begin(`starting ${peer} again`)
  const readyMs = await cluster.start(peer)
  const { generation, previousGeneration } = cluster.member(peer)
  if (generation <= previousGeneration) {
    const numbers = `generation ${generation}, not above ${previousGeneration}`
    throw new P2pdError('ERR_TESTNET', `${peer} came back with ${numbers}`)
  }
  return {
    phase: 'restart',
    peer,
    text: `${peer} started again on its data directory, ready ${seconds(readyMs)} later`,
    summary: [`${peer} back`, `ready after ${seconds(readyMs)}, in a higher generation`],
    figures: { readyMs, generation, previousGeneration },
  }
}

function signal(cluster: Cluster, how: 'pause' | 'resume', peer: string): Phase {
  if (how === 'pause') cluster.pause(peer)
  else cluster.resume(peer)
  return { phase: how, peer, text: `${peer} ${how}d`, figures: {} }
}

async function seeAlive(cluster: Cluster, deed: Expectation, listener: PhaseListener): Promise<Phase> {
  const { peer } = deed
  listener.begin(`waiting for all to show ${peer} alive`)
  await cluster.until(() => shown(cluster, deed), deed.withinMs)
  const { firstMs, lastMs } = sinceStart(cluster, peer)
  const times = `first ${whole(firstMs)} after its start, last ${whole(lastMs)}`
  return {
    phase: 'alive',
    peer,
    text: `all show ${peer} alive in its newest generation: ${times}`,
    summary: [`${peer} alive`, `shown by ${cluster.running().length - 1} others: ${times}`],
    figures: { firstMs, lastMs },
  }
}

/** When the others first showed a peer's newest generation alive, ms after it was started. */
function sinceStart(cluster: Cluster, peer: string): { readonly firstMs: number; readonly lastMs: number } {
  const history = cluster.recorder.history()
  const { generation } = cluster.member(peer)
  const start = history.findLast((event) => event.type === 'started' && event.peer === peer)?.at ?? 0
  const times = new Map<string, number>()
  for (const event of history) {
    if (event.type !== 'view' || event.subject !== peer || event.observer === peer) continue
    if (event.status !== 'alive' || event.generation !== generation || times.has(event.observer)) continue
    times.set(event.observer, event.at - start)
  }
  return { firstMs: Math.min(...times.values()), lastMs: Math.max(...times.values()) }
}

async function seeGone(
  cluster: Cluster,
  scenario: Scenario,
  deed: Expectation,
  listener: PhaseListener,
): Promise<Phase> {
  const { peer, status } = deed
  const { recorder } = cluster
  listener.begin(`waiting for all to show ${peer} ${status}`)
  await cluster.until(() => shown(cluster, deed), deed.withinMs)
  const { detections } = checkCompleteness(recorder.history(), scenario.bounds).figures
  const detection = detections.findLast((candidate) => candidate.peer === peer)
  const { firstMs = 0, lastMs = 0, noticed = 0 } = detection ?? {}
  const label = deed.reason === undefined ? status : `${status} (${deed.reason})`
  const times = `first after ${whole(firstMs)}, last after ${whole(lastMs)}`
  return {
    phase: status,
    peer,
    text: `all ${noticed} others show ${peer} ${label}: ${times}`,
    summary: [`${peer} ${label}`, `shown by ${noticed} others: ${times}`],
    figures: { firstMs, lastMs, observers: noticed },
  }
}

async function settle(cluster: Cluster, withinMs: number, listener: PhaseListener): Promise<Phase> {
  const beganAt = cluster.recorder.now()
  listener.begin('waiting for one view')
  await cluster.until(() => oneView(cluster), withinMs)
  const settledMs = cluster.recorder.now() - beganAt
  const peers = cluster.running().length
  return { phase: 'settle', text: `all ${peers} have one view`, figures: { peers, settledMs } }
}

async function watch(cluster: Cluster, forMs: number, listener: PhaseListener): Promise<Phase> {
  listener.begin(`watching for ${seconds(forMs)}`)
  await cluster.watch(forMs)
  return { phase: 'watch', text: `watched for ${seconds(forMs)}`, figures: { forMs } }
}

async function talk(
  cluster: Cluster,
  deed: TalkDeed,
  listener: PhaseListener,
  beside: (deed: Deed) => Promise<void>,
): Promise<Phase> {
  const { during = [], group } = deed
  listener.begin(`entering group ${group}`)
  const talking = await Talk.start(cluster, deed)
  try {
    listener.begin('all peers talk at once')
    for (const inner of during) await beside(inner)
    talking.besideDone()
    listener.begin('waiting until everybody has everything')
    const { said, replies, tookMs } = await talking.finish()
    const peers = cluster.running().length
    const what = `${said} messages and ${replies} replies`
    return {
      phase: 'talk',
      text: `all ${peers} peers talked at once: ${what} in ${seconds(tookMs)}, everybody has everything`,
      summary: ['talk', `${what} in ${seconds(tookMs)}`],
      figures: { peers, said, replies, tookMs },
    }
  } finally {
    talking.abandon()
  }
}

async function catchUp(
  cluster: Cluster,
  peer: string,
  withinMs: number,
  listener: PhaseListener,
): Promise<Phase> {
  listener.begin(`waiting until ${peer} has what it missed`)
  const { groups } = cluster
  const said = groups.held(cluster.running().map(({ name }) => name))
  await cluster.until(() => groups.lacks([peer], said), withinMs)
  const { missed, ms } = groups.repair(peer)
  const times = `${missed} messages, the last ${whole(ms)} after it was ready`
  return {
    phase: 'catch-up',
    peer,
    text: `${peer} has what it missed: ${times}`,
    summary: [`${peer} caught up`, times],
    figures: { missed, catchUpMs: ms },
  }
}

async function refuse(cluster: Cluster, name: string, listener: PhaseListener): Promise<Phase> {
  listener.begin(`${name} starts with another secret and tries to join`)
  const [target] = cluster.running()
  if (target === undefined)
    throw new P2pdError('ERR_SCENARIO', 'nobody runs whom an outsider could try to join')
  const { addresses } = await target.client.status()
  const stranger = await cluster.startStranger(name)
  const answer = await stranger.client.join({ addresses, timeoutMs: refusalWithinMs }).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(answer instanceof P2pdError))
    throw new P2pdError('ERR_TESTNET', `${name} was let in by ${target.name}`)
  const { members } = await stranger.client.members()
  if (members.length !== 1) {
    throw new P2pdError('ERR_TESTNET', `${name} sees ${members.length - 1} members of the cluster`)
  }
  return {
    phase: 'outsider',
    peer: name,
    text: `${name}, with another secret, was refused (${answer.code}) and sees nobody`,
    summary: [name, `refused (${answer.code})`],
    figures: {},
  }
}

/** Carries out a scenario's steps on a cluster, and says of each what came of it. */
import { P2pdError } from '../../lib/wire/errors.ts'
import { checkConvergence } from '../checkers/convergence.ts'
import type { ViewEvent } from '../checkers/history.ts'
import type { Cluster } from './cluster.ts'
import { cut, depart, kill, lose, mend, pause, readdress, resume, silence, wipe } from './disturbances.ts'
import { describe, type Expectation, observersOf, oneView, shown } from './expectations.ts'
import { runLock } from './lock-phases.ts'
import type { Member } from './member.ts'
import { type Phase, type PhaseListener, seconds, whole } from './phase.ts'
import type { Deed, Scenario } from './scenario.ts'
import { fitting, sightings } from './sightings.ts'
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
    for (const { place } of cluster.members.filter(({ place }) => !step.but.includes(place))) {
      for (const deed of step.steps) await runDeed(cluster, scenario, withPeer(deed, place), listener)
    }
  }
}

function withPeer(deed: Deed, name: string): Deed {
  if (deed.do === 'talk' && deed.during !== undefined) {
    return { ...deed, during: deed.during.map((inner) => withPeer(inner, name)) }
  }
  const here = (peers: readonly string[]): readonly string[] =>
    peers.map((peer) => (peer === 'it' ? name : peer))
  if (deed.do === 'cut') {
    return { ...deed, from: here(deed.from), to: deed.to === 'others' ? deed.to : here(deed.to) }
  }
  if (deed.do === 'expect' && deed.by !== undefined) {
    return { ...deed, peer: deed.peer === 'it' ? name : deed.peer, by: here(deed.by) }
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
      return listener.end(pause(cluster, deed.peer))
    case 'resume':
      return listener.end(await resume(cluster, deed, listener))
    case 'wipe':
      return listener.end(await wipe(cluster, deed))
    case 'readdress':
      return listener.end(await readdress(cluster, deed))
    case 'cut':
      return listener.end(await cut(cluster, deed))
    case 'lose':
      return listener.end(await lose(cluster, deed))
    case 'mend':
      return listener.end(await mend(cluster))
    case 'silence':
      return listener.end(await silence(cluster, deed))
    case 'expect':
      return listener.end(
        deed.status === 'alive'
          ? await seeAlive(cluster, deed, listener)
          : await seeOtherwise(cluster, deed, listener),
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

async function restart(cluster: Cluster, peer: string, listener: PhaseListener): Promise<Phase> {
  listener.begin(`starting ${peer} again`)
  const readyMs = await cluster.start(peer)
  const { generation, previousGeneration, lives } = cluster.member(peer)
  if (lives === 1) return anew(cluster.member(peer), readyMs)
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

/** It has lost its key with everything else, and is a peer that nobody knows. */
function anew({ name, place }: Member, readyMs: number): Phase {
  const how = `ready ${seconds(readyMs)} later`
  return {
    phase: 'restart',
    peer: name,
    text: `${place} started with an invite and a new key, ${how}`,
    summary: [`${name} new`, `ready after ${seconds(readyMs)}`],
    figures: { readyMs },
  }
}

async function seeAlive(cluster: Cluster, deed: Expectation, listener: PhaseListener): Promise<Phase> {
  const { name: peer } = cluster.member(deed.peer)
  listener.begin(`waiting for ${byWhom(deed)} to show ${peer} alive`)
  await cluster.until(() => shown(cluster, deed), deed.withinMs)
  const { generation } = cluster.member(peer)
  const fits = (view: ViewEvent): boolean => view.status === 'alive' && view.generation === generation
  const { firstMs, lastMs } = sightings(cluster.recorder.history(), peer, fits)
  const since = 'after it started or went on'
  const times = `first ${whole(firstMs)} ${since}, last ${whole(lastMs)}`
  return {
    phase: 'alive',
    peer,
    text: `${byWhom(deed)} show ${peer} alive in its newest generation: ${times}`,
    summary: [`${peer} alive`, `shown by ${observersOf(cluster, deed).length} others: ${times}`],
    figures: { firstMs, lastMs },
  }
}

async function seeOtherwise(cluster: Cluster, deed: Expectation, listener: PhaseListener): Promise<Phase> {
  const { name: peer } = cluster.member(deed.peer)
  const label = describe(deed)
  listener.begin(`waiting for ${byWhom(deed)} to show ${peer} ${label}`)
  await cluster.until(() => shown(cluster, deed), deed.withinMs)
  const figures = sightings(cluster.recorder.history(), peer, fitting(deed))
  const { firstMs, medianMs, lastMs, observers } = figures
  const times = `first after ${whole(firstMs)}, median ${whole(medianMs)}, last ${whole(lastMs)}`
  return {
    phase: deed.detail ?? deed.status,
    peer,
    text: `${deed.by === undefined ? `all ${observers} others` : byWhom(deed)} show ${peer} ${label}: ${times}`,
    summary: [`${peer} ${label}`, `shown by ${observers} others: ${times}`],
    figures: { ...figures },
  }
}

function byWhom({ by }: Expectation): string {
  return by === undefined ? 'all' : by.join(', ')
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

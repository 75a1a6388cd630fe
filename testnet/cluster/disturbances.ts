/** What a scenario does to peers and to their network; each gives what is to be told of it. */
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Cluster } from './cluster.ts'
import { type Phase, type PhaseListener, seconds, whole } from './phase.ts'
import type { Deed } from './scenario.ts'

type Of<Kind extends Deed['do']> = Extract<Deed, { readonly do: Kind }>

export async function kill(cluster: Cluster, peer: string, listener: PhaseListener): Promise<Phase> {
  listener.begin(`killing ${peer} with SIGKILL`)
  await cluster.kill(peer)
  return { phase: 'kill', peer, text: `${peer} killed with SIGKILL`, figures: {} }
}

export async function depart(
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

export function pause(cluster: Cluster, peer: string): Phase {
  cluster.pause(peer)
  return { phase: 'pause', peer, text: `${peer} frozen with SIGSTOP`, figures: {} }
}

export async function resume(
  cluster: Cluster,
  { peer, afterMs = 0 }: Of<'resume'>,
  listener: PhaseListener,
): Promise<Phase> {
  const { name } = cluster.member(peer)
  listener.begin(`${peer} is frozen`)
  const stopped = cluster.recorder
    .history()
    .findLast((event) => event.type === 'paused' && event.peer === name)
  const since = stopped?.at ?? cluster.recorder.now()
  await cluster.watch(since + afterMs - cluster.recorder.now())
  cluster.resume(peer)
  const frozenMs = cluster.recorder.now() - since
  const text = `${peer} goes on with SIGCONT after ${seconds(frozenMs)}`
  return { phase: 'resume', peer, text, figures: { frozenMs } }
}

export async function wipe(cluster: Cluster, { peer, keep }: Of<'wipe'>): Promise<Phase> {
  await cluster.wipe(peer, keep)
  const what = keep === 'key' ? 'all but its key' : 'its data directory'
  return { phase: 'wipe', peer, text: `${peer} has lost ${what}`, figures: {} }
}

export async function readdress(cluster: Cluster, { peer }: Of<'readdress'>): Promise<Phase> {
  await cluster.readdress(peer)
  return { phase: 'readdress', peer, text: `${peer} will be at another address`, figures: {} }
}

export async function cut(cluster: Cluster, { from, to, ways }: Of<'cut'>): Promise<Phase> {
  const everybody = cluster.members.map(({ place }) => place)
  const others = to === 'others' ? everybody.filter((place) => !from.includes(place)) : to
  await cluster.cut(from, others, ways)
  const [one, other] = [from.join(', '), others.join(', ')]
  const what = ways === 'both' ? `between ${one} and ${other}` : `from ${one} to ${other}, but back`
  return { phase: 'cut', text: `nothing passes ${what}`, figures: {} }
}

export async function lose(cluster: Cluster, { percent }: Of<'lose'>): Promise<Phase> {
  await cluster.lose(percent)
  return { phase: 'lose', text: `${percent} % of all packets are lost`, figures: { percent } }
}

/** Throws when nothing was dropped: then nothing was tried. */
export async function mend(cluster: Pick<Cluster, 'mend'>): Promise<Phase> {
  const packets = await cluster.mend()
  if (packets === 0) {
    throw new P2pdError('ERR_TESTNET', 'no packet fell to what is mended here: the network had no part in it')
  }
  const text = `the network is whole again; ${packets} packets were dropped`
  return { phase: 'mend', text, summary: ['dropped', `${packets} packets`], figures: { packets } }
}

export async function silence(cluster: Cluster, { peer }: Of<'silence'>): Promise<Phase> {
  await cluster.silence(peer)
  return { phase: 'silence', peer, text: `${peer} has lost power: none of its packets passes`, figures: {} }
}

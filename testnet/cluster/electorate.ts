/** Who votes on the locks of a cluster, as its daemons say. */
import { LockClient } from '../../daemon/client/lock-client.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Cluster } from './cluster.ts'
import type { Member } from './member.ts'

export interface Electorate {
  readonly version: number
  /** Names. */
  readonly voters: readonly string[]
}

/** The most voters that the policy of the daemons aims at. */
const maxVoters = 7
/** Between two looks, ms. */
const lookMs = 50

export function quorumOf({ voters }: Electorate): number {
  return Math.floor(voters.length / 2) + 1
}

/**
 * Waits until every peer that runs shows one electorate, of the largest odd size
 * that the peers allow for, in which every voter that runs votes and a quorum can
 * be reached. Throws ERR_TESTNET with what is missing after `withinMs`.
 */
export async function settledElectorate(cluster: Cluster, withinMs: number): Promise<Electorate> {
  const peers = Math.min(cluster.members.length, maxVoters)
  const size = peers - ((peers + 1) % 2)
  const deadline = cluster.recorder.now() + withinMs
  for (;;) {
    cluster.check()
    const found = await look(cluster, size)
    if (typeof found !== 'string') return found
    if (cluster.recorder.now() > deadline) {
      throw new P2pdError('ERR_TESTNET', `after ${withinMs} ms ${found}`)
    }
    await cluster.recorder.changed(lookMs)
  }
}

/** The electorate, or why it is not settled, in words. */
async function look(cluster: Cluster, size: number): Promise<Electorate | string> {
  const running = cluster.running()
  const views = await Promise.all(running.map((member) => viewAt(cluster, member)))
  const [first] = views
  if (first === undefined) return 'nobody runs'
  const { version, voters } = first.electorate
  if (voters.length !== size) return `${first.name} shows ${voters.length} voters, not ${size}`
  for (const view of views) {
    if (view.electorate.version !== version) {
      return `${view.name} shows version ${view.electorate.version} of the voters, and ${first.name} ${version}`
    }
    if (!view.reachable) return `${view.name} reaches no quorum of the voters`
    if (voters.includes(view.name) && view.self !== 'serving') {
      return `${view.name}, a voter, is ${view.self}`
    }
  }
  return first.electorate
}

async function viewAt({ recorder }: Cluster, { name, dataDir }: Member) {
  const { version, voters, reachable, self } = await LockClient.open(dataDir).voters()
  const names = voters.map(({ peerId }) => recorder.nameOf(peerId))
  return { name, electorate: { version, voters: names }, reachable, self }
}

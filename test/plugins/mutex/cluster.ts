/** Peers with locks on loopback, in this process. */
import { createPeer, type Peer, type PeerOptions } from '../../../lib/index.ts'
import type { PeerPlugin } from '../../../lib/plugin.ts'
import type { MutexApi } from '../../../plugins/mutex/api.ts'
import { type MutexOptions, mutex } from '../../../plugins/mutex/index.ts'
import { eventually } from '../../support/eventually.ts'

export type LockPeer = Peer<{ readonly mutex: PeerPlugin<MutexApi> }>

export const secret = '7d'.repeat(32)

/** Times that a test can wait for, and that an event loop which is late now and then does not overrun. */
export const quick = {
  leaseMs: 2000,
  maxLeaseMs: 4000,
  pingMs: 200,
  silenceMs: 1000,
  readyForMs: 100,
  headMs: 100,
  leaveMs: 1000,
}

const running: LockPeer[] = []

export async function startPeer(
  options: Partial<PeerOptions> = {},
  knobs: MutexOptions = {},
): Promise<LockPeer> {
  const peer = await createPeer({
    cluster: 'test',
    secret,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    profile: 'local',
    ...options,
    plugins: { mutex: mutex({ ...quick, ...knobs }) },
  })
  running.push(peer)
  return peer
}

export async function stopPeers(): Promise<void> {
  await Promise.all(running.splice(0).map((peer) => peer.stop()))
}

/** `a` has founded; `dirs` are their data directories, or none. */
export async function startThree(
  dirs: readonly string[] = [],
  knobs: MutexOptions = {},
): Promise<[LockPeer, LockPeer, LockPeer]> {
  const dataDir = (i: number) => (dirs[i] === undefined ? {} : { dataDir: dirs[i] })
  const a = await startPeer({ name: 'a', ...dataDir(0) }, knobs)
  const [b, c] = await Promise.all([
    startPeer({ name: 'b', join: a.addresses, ...dataDir(1) }),
    startPeer({ name: 'c', join: a.addresses, ...dataDir(2) }),
  ])
  await threeVote([a, b, c])
  return [a, b, c]
}

export async function threeVote(peers: readonly LockPeer[]): Promise<void> {
  await eventually('three voters that serve', () =>
    peers.every((peer) => {
      const { voters, self } = peer.plugins.mutex.electorate()
      return voters.length === 3 && self === 'serving'
    }),
  )
}

/** Peer ids, cut to what a person can read and type. */

/** Every Ed25519 id begins with the same eight characters, so fewer say nothing. */
const minChars = 12

/** The shortest prefix of `peerId`, 12 characters or more, that no other of `all` shares: a valid PEER. */
export function shortId(peerId: string, all: readonly string[]): string {
  let chars = minChars
  for (const other of all) {
    if (other === peerId) continue
    while (chars < peerId.length && other.startsWith(peerId.slice(0, chars))) chars++
  }
  return peerId.slice(0, chars)
}

/** The same for each of `all`, in the time of sorting them: a file may name any number. */
export function shortIds(all: readonly string[]): ReadonlyMap<string, string> {
  const sorted = [...new Set(all)].sort()
  // Nobody shares more with one than its neighbours do.
  return new Map(
    sorted.map((peerId, at) => [peerId, shortId(peerId, [sorted[at - 1] ?? '', sorted[at + 1] ?? ''])]),
  )
}

export interface NamedPeer {
  readonly peerId: string
  readonly name: string
  /** Of a candidate: what it is, where that tells it from the others. */
  readonly status?: string | undefined
}

/** Peers as people know them, told apart: `m2 (12D3KooWabcd)`, `m2 (12D3KooWefgh, dead)`. */
export function describePeers(peers: readonly NamedPeer[]): string[] {
  const peerIds = peers.map(({ peerId }) => peerId)
  return peers.map(({ peerId, name, status }) => {
    const id = shortId(peerId, peerIds) + (status === undefined || status === 'alive' ? '' : `, ${status}`)
    return name === '' ? id : `${name} (${id})`
  })
}

export function describePeer(peer: NamedPeer): string {
  return describePeers([peer]).join()
}

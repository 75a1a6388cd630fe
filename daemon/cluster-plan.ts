/**
 * Found, join or resume: decided from what the directory holds and what was
 * asked, before anything is written. A cluster is never founded by accident.
 */
import { timingSafeEqual } from 'node:crypto'
import { P2pdError } from '../lib/wire/errors.ts'
import type { Invite } from './invite.ts'
import { maxContacts, type SavedCluster } from './saved-state.ts'

export const defaultCluster = 'p2pd'

export interface Found {
  readonly saved: SavedCluster | undefined
  readonly secret: Uint8Array | undefined
  /** A peer has run here before. */
  readonly hasStore: boolean
}

export interface Asked {
  readonly cluster: string | undefined
  readonly invite: Invite | undefined
  readonly join: readonly string[]
  /** Others are looked for in the local network. */
  readonly mdns: boolean
}

export type ClusterPlan =
  | { readonly type: 'found'; readonly saved: SavedCluster }
  | { readonly type: 'join'; readonly saved: SavedCluster; readonly secret: Uint8Array }
  | { readonly type: 'resume'; readonly saved: SavedCluster; readonly secret: Uint8Array }

/** Throws ERR_NO_SECRET, ERR_NO_CONTACTS or ERR_OTHER_CLUSTER. */
export function planCluster(found: Found, asked: Asked): ClusterPlan {
  assertSameCluster(found, asked)
  const { invite } = asked
  const name = found.saved?.cluster ?? invite?.cluster ?? asked.cluster ?? defaultCluster
  const saved = { cluster: name, contacts: contacts(found, asked) }
  if (found.secret !== undefined) return { type: 'resume', saved, secret: found.secret }
  if (invite !== undefined) {
    // Who has nobody to ask would take itself for the first.
    if (saved.contacts.length === 0 && !asked.mdns) throw noContacts()
    return { type: 'join', saved: { ...saved, cluster: invite.cluster }, secret: invite.secret }
  }
  if (found.saved !== undefined && found.hasStore) {
    throw new P2pdError('ERR_NO_SECRET', `the secret of cluster ${found.saved.cluster} is missing`, {
      hint: "restore cluster.secret from a backup, or ask a member for an invite: 'p2pd --invite FILE'",
    })
  }
  if (asked.join.length > 0) {
    throw new P2pdError('ERR_NO_SECRET', 'joining needs the cluster secret, which is not here', {
      hint: "start with 'p2pd --invite FILE': 'p2pd invite' on a member makes one, 'p2pd invite --new' for a new cluster",
    })
  }
  // A name without secret and store is what an interrupted founding leaves: it never ran.
  return { type: 'found', saved: { cluster: asked.cluster ?? defaultCluster, contacts: [] } }
}

function assertSameCluster({ saved, secret }: Found, { cluster, invite }: Asked): void {
  const here = secret === undefined ? undefined : saved?.cluster
  if (here !== undefined && invite !== undefined && here !== invite.cluster) throw other(here, invite.cluster)
  if (secret !== undefined && invite !== undefined && !timingSafeEqual(secret, invite.secret)) {
    throw other(here ?? 'another secret', `${invite.cluster} with another secret`)
  }
  if (here !== undefined && cluster !== undefined && here !== cluster) throw other(here, cluster)
  if (invite !== undefined && cluster !== undefined && invite.cluster !== cluster) {
    throw new P2pdError('ERR_OTHER_CLUSTER', `the invite is for cluster ${invite.cluster}, not ${cluster}`, {
      hint: '--cluster names a cluster that is founded here: leave it out with --invite',
    })
  }
}

function noContacts(): P2pdError {
  return new P2pdError('ERR_NO_CONTACTS', 'the invite names no address, and --join none either', {
    hint: 'say with --join where a member listens, or the others that found the cluster with this one, or look for them with --mdns',
  })
}

function other(here: string, asked: string): P2pdError {
  return new P2pdError('ERR_OTHER_CLUSTER', `this data directory belongs to cluster ${here}, not ${asked}`, {
    hint: 'choose another data directory with --data; nothing was changed',
  })
}

/** The newest first, so that the oldest fall off the end. */
function contacts({ saved }: Found, { invite, join }: Asked): string[] {
  const all = new Set([...join, ...(invite?.addresses ?? []), ...(saved?.contacts ?? [])])
  return [...all].slice(0, maxContacts)
}

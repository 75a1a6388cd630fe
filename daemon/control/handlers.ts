/** The JSON routes: from a checked request to the peer and back. */
import { isPeerId } from '../../lib/host/identity.ts'
import type { PeerId } from '../../lib/protocols/core.ts'
import type { MemberView } from '../../lib/protocols/membership/messages.ts'
import { assertDialAddresses } from '../address.ts'
import { encodeInvite } from '../invite.ts'
import type { PeerPort } from '../peer-port.ts'
import { planAdmission } from './admission-plan.ts'
import type { Handlers } from './contract.ts'
import { ControlFailure } from './failure.ts'
import { countByStatus, toRows } from './member-rows.ts'
import { resolvePeer } from './peer-reference.ts'
import type { InviteAnswer, PeerChoice, PeerEntry, PeersAnswer, StatusAnswer } from './schemas.ts'

export interface HandlerContext {
  /** Throws ERR_NOT_READY until the peer has started, and when it is stopping. */
  peer(): PeerPort
  readonly secret: Uint8Array
  readonly version: string
  uptimeMs(): number
  /** Resolves when the departure is announced. */
  leave(signal: AbortSignal): Promise<void>
}

export function createHandlers(context: HandlerContext): Handlers {
  return {
    status: () => status(context),
    members: ({ query }) => {
      const rows = toRows(context.peer().members())
      return {
        members: query.status === undefined ? rows : rows.filter((row) => row.status === query.status),
      }
    },
    ping: async ({ body, signal }) => {
      const peer = context.peer()
      const { peerId, name } = resolvePeer(body.peer, choices(peer.members()))
      const { rttMs } = await peer.ping(peerId, { signal: within(body.timeoutMs, signal) })
      return { peerId, name, rttMs }
    },
    invite: () => invite(context, undefined),
    inviteAt: ({ body }) => invite(context, body.addresses),
    join: async ({ body, signal }) => {
      assertDialAddresses(body.addresses)
      const contacted = await context.peer().join(body.addresses, { signal: within(body.timeoutMs, signal) })
      if (contacted.length > 0) return { contacted: [...contacted] }
      throw new ControlFailure('ERR_JOIN_FAILED', 'none of these addresses answered as a member', {
        hint: 'check that a daemon of the same cluster listens there and that no firewall is in between',
      })
    },
    leave: async ({ signal }) => {
      await context.leave(signal)
      return { left: true }
    },
    peers: () => listPeers(context.peer()),
    allowPeers: async ({ body }) => {
      const peer = context.peer()
      const ids = resolveForAdmission(peer, body.peers)
      const cutOff = planAdmission(peer.admission.list(), ids, peer.members())
      if (cutOff.length > 0 && !body.confirm) throw wouldCutOff(cutOff)
      await peer.admission.allow(ids, { confirm: true })
      return listPeers(peer)
    },
    denyPeers: async ({ body }) => {
      const peer = context.peer()
      const ids = resolveForAdmission(peer, body.peers)
      if (ids.includes(peer.peerId)) throw new ControlFailure('ERR_BAD_REQUEST', 'a peer cannot deny itself')
      await peer.admission.deny(ids)
      return listPeers(peer)
    },
    health: () => ({ status: 'ok' }),
    ready: () => {
      context.peer()
      return { status: 'ready' }
    },
  }
}

function status(context: HandlerContext): StatusAnswer {
  const peer = context.peer()
  return {
    peerId: peer.peerId,
    name: peer.name,
    cluster: peer.cluster,
    clusterId: peer.clusterId,
    version: context.version,
    addresses: [...peer.addresses],
    uptimeMs: Math.trunc(context.uptimeMs()),
    ready: true,
    pid: process.pid,
    generation: peer.generation,
    rolledBack: peer.rolledBack,
    health: { score: peer.health.score, isolated: peer.health.isolated },
    members: countByStatus(peer.members()),
    // There is no electorate yet: version 0, nobody votes, nothing to reach.
    quorum: { version: 0, voters: [], reachable: false },
  }
}

function invite(context: HandlerContext, asked: readonly string[] | undefined): InviteAnswer {
  const peer = context.peer()
  if (asked !== undefined) assertDialAddresses(asked)
  const addresses = [...(asked ?? peer.addresses)]
  const { cluster, peerId } = peer
  const line = encodeInvite({ cluster, secret: context.secret, addresses, inviter: peerId })
  return { invite: line, cluster, peerId, addresses }
}

function within(timeoutMs: number, signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
}

interface KnownPeer {
  readonly peerId: PeerId
  readonly name: string
}

function choices(members: readonly MemberView[]): KnownPeer[] {
  return members.map(({ peer, name }) => ({ peerId: peer, name }))
}

function listPeers(peer: PeerPort): PeersAnswer {
  const { restricted, allowed, denied } = peer.admission.list()
  const rows = new Map(toRows(peer.members()).map((row) => [row.peerId, row]))
  const entry = (peerId: string): PeerEntry => ({
    peerId,
    name: rows.get(peerId)?.name ?? null,
    status: rows.get(peerId)?.status ?? null,
  })
  return { mode: restricted ? 'list' : 'secret', allowed: allowed.map(entry), denied: denied.map(entry) }
}

/** A whole id need not be known: it may be allowed before it comes, or denied for ever. */
function resolveForAdmission(peer: PeerPort, references: readonly string[]): PeerId[] {
  const known = choices(peer.members())
  const named = new Set<PeerId>(known.map(({ peerId }) => peerId))
  const { allowed, denied } = peer.admission.list()
  const unnamed = [...new Set([...allowed, ...denied])].filter((peerId) => !named.has(peerId))
  const all = [...known, ...unnamed.map((peerId) => ({ peerId, name: '' }))]
  const ids = references.map((reference) =>
    isPeerId(reference) ? reference : resolvePeer(reference, all).peerId,
  )
  return [...new Set(ids)]
}

function wouldCutOff(peers: readonly PeerChoice[]): ControlFailure {
  return new ControlFailure(
    'ERR_WOULD_CUT_OFF',
    `${peers.length} members are not on the list and would be cut off`,
    {
      hint: 'allow them too, or confirm',
      peers,
    },
  )
}

/** The JSON routes: from a checked request to the peer and back. */
import type { Logger } from 'pino'
import { isPeerId } from '../../lib/host/identity.ts'
import type { ConfirmError, PeerId } from '../../lib/index.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { assertDialAddresses } from '../address.ts'
import { encodeInvite } from '../invite.ts'
import type { PeerPort } from '../peer-port.ts'
import { type PluginSet, pluginStatus } from '../plugins/plugin-set.ts'
import { matchesTag } from '../tag-words.ts'
import type { Handlers } from './contract.ts'
import { ControlFailure } from './failure.ts'
import { createGroupHandlers, groupStatus } from './group-handlers.ts'
import { joinThrough } from './join.ts'
import { countByStatus, countStalled, nameConflicts, toRows } from './member-rows.ts'
import { choices, resolvePeer } from './peer-reference.ts'
import { reachability } from './reachability.ts'
import type { InviteAnswer, PeerEntry, PeersAnswer, StatusAnswer } from './schemas.ts'
import { TagChanges, type TagMemory } from './tag-changes.ts'

export interface HandlerContext {
  /** Throws ERR_NOT_READY until the peer has started, and when it is stopping. */
  peer(): PeerPort
  readonly secret: Uint8Array
  readonly version: string
  uptimeMs(): number
  /** Resolves when the departure is announced. Errors: ERR_LEAVE_INCOMPLETE, and the peer stays. */
  leave(options: { readonly force: boolean }): Promise<void>
  readonly tagMemory: TagMemory
  readonly plugins: PluginSet
  readonly log: Logger
}

export function createHandlers(context: HandlerContext): Handlers {
  const tags = new TagChanges(context.tagMemory)
  return {
    status: () => status(context),
    members: ({ query }) => {
      const asked = [query.tag ?? []].flat()
      const rows = toRows(context.peer().members()).filter(
        (row) =>
          (query.status === undefined || row.status === query.status) &&
          asked.every((tag) => matchesTag(row.tags, tag)),
      )
      return { members: rows }
    },
    ping: async ({ body, signal }) => {
      const peer = context.peer()
      const { peerId, name } = resolvePeer(body.peer, choices(peer.members()))
      const { rttMs } = await withinTime(body.timeoutMs, signal, (limited) =>
        peer.ping(peerId, { signal: limited }),
      )
      return { peerId, name, rttMs }
    },
    reachability: ({ body, signal }) => reachability(context.peer(), body.timeoutMs, signal),
    forceLeave: async ({ body, signal }) => {
      const peer = context.peer()
      const { peerId, name } = resolvePeer(body.peer, choices(peer.members()))
      await withinTime(body.timeoutMs, signal, (limited) => peer.forceLeave(peerId, { signal: limited }), {
        message: 'the table does not show it as left',
        hint: 'the disk may be slow: look again with p2pd members',
      })
      return { peerId, name, left: true }
    },
    tags: () => tags.answer(context.peer()),
    changeTags: ({ body }) => tags.change(context.peer(), body.set, body.delete),
    invite: () => invite(context, undefined),
    inviteAt: ({ body }) => invite(context, body.addresses),
    join: async ({ body, signal }) => {
      assertDialAddresses(body.addresses)
      return { contacted: await joinThrough(context.peer(), body.addresses, body.timeoutMs, signal) }
    },
    leave: async ({ body: { force } }) => {
      await context.leave({ force })
      return { left: true }
    },
    peers: () => listPeers(context.peer()),
    allowPeers: async ({ body }) => {
      const peer = context.peer()
      const ids = resolveForAdmission(peer, body.peers)
      await peer.admission.allow(ids, { confirm: body.confirm }).catch((error: unknown) => {
        throw isConfirmError(error) ? wouldCutOff(error, peer) : error
      })
      return listPeers(peer)
    },
    denyPeers: async ({ body }) => {
      const peer = context.peer()
      const ids = resolveForAdmission(peer, body.peers)
      for (const id of ids) await peer.admission.deny(id)
      return listPeers(peer)
    },
    ...createGroupHandlers(() => context.peer()),
    plugins: () => ({ plugins: [...context.plugins.rows] }),
    health: () => ({ status: 'ok' }),
    ready: () => {
      context.peer()
      return { status: 'ready' }
    },
  }
}

function status(context: HandlerContext): StatusAnswer {
  const peer = context.peer()
  const members = peer.members()
  const { loopLagMs, loopLagMaxMs } = peer.counters()
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
    health: {
      score: peer.health.score,
      isolated: peer.health.isolated,
      loopLagMs: Math.round(loopLagMs),
      loopLagMaxMs: Math.round(loopLagMaxMs),
    },
    tags: { ...peer.tags },
    members: countByStatus(members),
    stalled: countStalled(members),
    nameConflicts: nameConflicts(members),
    quorum: noQuorum,
    locks: { held: 0, waiting: 0 },
    ...groupStatus(peer),
    ...pluginStatus(context.plugins, peer.plugins, (plugin, error) => {
      context.log.error({ plugin, err: error }, 'a plugin failed to tell its status')
    }),
  }
}

/** There is no electorate: nobody votes, nothing to reach. */
const noQuorum: StatusAnswer['quorum'] = {
  version: 0,
  voters: [],
  reachable: false,
  missing: [],
  id: null,
  self: 'none',
  abstainsForMs: 0,
  void: null,
  conflict: null,
  change: null,
}

function invite(context: HandlerContext, asked: readonly string[] | undefined): InviteAnswer {
  const peer = context.peer()
  if (asked !== undefined) assertDialAddresses(asked)
  const addresses = [...(asked ?? peer.addresses)]
  const { cluster, peerId } = peer
  const line = encodeInvite({ cluster, secret: context.secret, addresses, inviter: peerId })
  return { invite: line, cluster, peerId, addresses }
}

async function withinTime<Result>(
  timeoutMs: number,
  signal: AbortSignal,
  act: (limited: AbortSignal) => Promise<Result>,
  late = { message: 'no answer', hint: "'p2pd members' shows whether it is connected" },
): Promise<Result> {
  const time = AbortSignal.timeout(timeoutMs)
  try {
    return await act(AbortSignal.any([signal, time]))
  } catch (error) {
    if (!time.aborted) throw error
    throw new ControlFailure('ERR_TIMEOUT', `${late.message} within ${timeoutMs} ms`, { hint: late.hint })
  }
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

/** By its code: importing the class would load the whole library before it is needed. */
function isConfirmError(error: unknown): error is ConfirmError {
  return error instanceof P2pdError && error.code === 'ERR_CONFIRM'
}

function wouldCutOff({ cutOff }: ConfirmError, peer: PeerPort): ControlFailure {
  const names = new Map(peer.members().map((member) => [member.peer, member.name]))
  const peers = cutOff.map((peerId) => ({ peerId, name: names.get(peerId) ?? '' }))
  const message = `${peers.length} peers are not on the list and would be cut off`
  return new ControlFailure('ERR_WOULD_CUT_OFF', message, { hint: 'allow them too, or confirm', peers })
}

/** Groups, clocks and the trace: from a checked request to the peer and back. */
import type { Group, GroupItem, GroupView } from '../../lib/group.ts'
import { groupLeft as leftError, throwNotIn } from '../../lib/group-errors.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { PeerPort } from '../peer-port.ts'
import { shellWord } from '../shell-word.ts'
import type { Handlers, Request } from './contract.ts'
import { ControlFailure } from './failure.ts'
import { toForkRow } from './message-lines.ts'
import { decodePayload } from './payload.ts'
import type { ClockAnswer, GroupRow, GroupsAnswer, PublishAnswer, StatusAnswer } from './schemas.ts'

/** What a request may wait. */
export interface GroupWaits {
  /** For a group to be joined, ms. */
  readonly joinMs: number
  /** Then for its message to be taken, ms. */
  readonly publishMs: number
}

const groupWaits: GroupWaits = { joinMs: 20_000, publishMs: 20_000 }

export interface ReadRequest {
  readonly group: string
  readonly from: string
  readonly order: 'causal' | 'fifo' | 'total'
  readonly vector: boolean
}

export function createGroupHandlers(
  peer: () => PeerPort,
  waits = groupWaits,
): Pick<Handlers, 'groups' | 'publish' | 'leaveGroup' | 'clock'> {
  return {
    groups: () => listGroups(peer()),
    publish: (request) => publish(peer(), request, waits),
    leaveGroup: async ({ params: { group } }) => {
      await leaveGroup(peer(), group)
      return { group, left: true }
    },
    clock: ({ query: { group } }) => readClock(peer(), group),
  }
}

/** What `status` says of groups and clocks. */
export function groupStatus(peer: PeerPort): Pick<StatusAnswer, 'clock' | 'groups' | 'forks'> {
  const { lamport, hlc } = peer.clock()
  return {
    clock: { lamport, hlc },
    groups: peer
      .groups()
      .filter(({ joined }) => joined)
      .map(({ name, members, delivered, heldBack }) => ({
        name,
        members: members.length,
        delivered,
        heldBack,
      })),
    forks: peer.forks().map(toForkRow),
  }
}

/**
 * Joins the group and reads it. Errors: ERR_ORDER_UNAVAILABLE, ERR_BAD_GROUP,
 * ERR_TOO_MANY_GROUPS, ERR_TIMEOUT; those of the cursor come with the first item.
 */
export async function openMessages(
  peer: PeerPort,
  { group, from, order, vector }: ReadRequest,
  signal: AbortSignal,
  waits = groupWaits,
): Promise<AsyncIterator<GroupItem>> {
  if (order !== 'causal') throw orderUnavailable(order)
  const handle = await joinGroup(peer, group, signal, waits)
  return handle.items({ from, vector, signal })
}

/** Why a group's stream has come to its end, if that is it. */
export function groupLeft(peer: PeerPort, group: string): P2pdError | undefined {
  if (isJoined(peer, group)) return undefined
  return leftError(group, `to join it again: p2pd sub ${shellWord(group)}`)
}

async function publish(
  peer: PeerPort,
  { params, body, signal }: Request<'publish'>,
  waits: GroupWaits,
): Promise<PublishAnswer> {
  const data = decodePayload(body)
  const group = await joinGroup(peer, params.group, signal, waits)
  const time = AbortSignal.timeout(waits.publishMs)
  try {
    const { sender, epoch, seq, lamport, vector } = await group.publish(data, {
      signal: AbortSignal.any([signal, time]),
    })
    return { group: params.group, sender, epoch, seq, lamport, vector: { ...vector } }
  } catch (error) {
    if (error instanceof P2pdError || !time.aborted) throw error
    throw new ControlFailure('ERR_WOULD_BLOCK', `the message was not taken within ${waits.publishMs} ms`, {
      hint: 'other members are slow to take what is under way: publish less, or try again later',
    })
  }
}

async function joinGroup(
  peer: PeerPort,
  name: string,
  signal: AbortSignal,
  { joinMs }: GroupWaits,
): Promise<Group> {
  const time = AbortSignal.timeout(joinMs)
  try {
    return await peer.group(name, { signal: AbortSignal.any([signal, time]) })
  } catch (error) {
    if (error instanceof P2pdError || !time.aborted) throw error
    throw new ControlFailure('ERR_TIMEOUT', `what came before in group '${name}' is still being fetched`, {
      hint: "try again later; 'p2pd groups' shows whether it is ready",
    })
  }
}

async function leaveGroup(peer: PeerPort, name: string): Promise<void> {
  // Asking for the group would join it.
  if (!isJoined(peer, name)) throwNotIn(name)
  const group = await peer.group(name)
  await group.leave()
}

function isJoined(peer: PeerPort, name: string): boolean {
  return peer.groups().some((group) => group.name === name && group.joined)
}

function listGroups(peer: PeerPort): GroupsAnswer {
  const rows = peer.groups().map(toGroupRow)
  return { groups: rows.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name))) }
}

function toGroupRow(view: GroupView): GroupRow {
  const { name, joined, ready, members, delivered, heldBack, logMessages, logBytes } = view
  return { name, joined, ready, members: [...members], delivered, heldBack, logMessages, logBytes }
}

function readClock(peer: PeerPort, group: string): ClockAnswer {
  const { lamport, vector, hlc, network } = peer.clock(group)
  return { lamport, group, vector: { ...vector }, hlc, network: { ...network } }
}

function orderUnavailable(order: string): ControlFailure {
  return new ControlFailure('ERR_ORDER_UNAVAILABLE', `this version does not deliver in ${order} order`, {
    hint: 'causal order holds each sender’s order too; leave the order out, or say causal',
  })
}

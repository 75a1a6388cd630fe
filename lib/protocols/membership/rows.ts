/** Rows of the membership table, as the embedder sees them. */
import type { MembershipInit } from './init.ts'
import type { Member } from './member.ts'
import type { MemberView, Presence } from './messages.ts'
import type { OwnLife } from './own-life.ts'

export function rowOf(member: Member, connected: boolean): MemberView {
  const { body } = member.record
  const dismissed = member.status === 'left' && body.presence === 'alive'
  return {
    peer: member.peer,
    self: false,
    name: body.name,
    version: body.version,
    status: member.stalledAt === undefined ? member.status : 'stalled',
    reason: dismissed ? 'dismissed' : reasonOf(body.presence),
    generation: body.generation,
    incarnation: body.incarnation,
    addresses: body.addresses,
    groups: body.groups,
    tags: body.tags,
    rttMs: member.rttMs,
    since: member.since,
    accusers: dismissed ? [...member.accusations.dismissed.keys()] : [...member.accusers()],
    connected,
  }
}

export function ownRow({ self, name, version }: MembershipInit, own: OwnLife): MemberView {
  const { status, generation, incarnation, addresses, groups, tags, since } = own
  return {
    peer: self,
    self: true,
    name,
    version,
    status: status === 'idle' || status === 'superseded' ? 'left' : status,
    reason: reasonOf(own.presence),
    generation,
    incarnation,
    addresses,
    groups,
    tags,
    rttMs: undefined,
    since,
    accusers: [],
    connected: true,
  }
}

function reasonOf(presence: Presence): MemberView['reason'] {
  if (presence === 'alive') return undefined
  return presence === 'left' ? 'leaving' : 'stopping'
}

/** A person says of a dead member that it does not come back. */
import type { MembersUpdate } from './peer-events.ts'
import type { PeerId } from './protocols/core.ts'
import type { MemberView } from './protocols/membership/messages.ts'
import { P2pdError } from './wire/errors.ts'

/** True where there is something to do; false where it has left already. Errors: ERR_SELF, ERR_UNKNOWN_PEER, ERR_NOT_DEAD. */
export function mayBeDismissed(peer: PeerId, row: MemberView | undefined): boolean {
  if (row === undefined) {
    throw new P2pdError('ERR_UNKNOWN_PEER', `${peer} is no member here`, {
      hint: 'who was dead or gone for long is in the table no more',
    })
  }
  if (row.self) {
    throw new P2pdError('ERR_SELF', 'a peer cannot force itself to leave', {
      hint: "'p2pd leave' gives up its own membership",
    })
  }
  if (isGone(row)) return false
  if (row.status !== 'dead') throw notDead(row)
  return true
}

/** Resolves once a table shows that `peer` has left; `ended` makes the error of one that ends before. */
export async function untilDismissed(
  peer: PeerId,
  updates: AsyncIterable<MembersUpdate>,
  ended: () => unknown,
): Promise<void> {
  for await (const update of updates) {
    const row =
      update.type === 'snapshot'
        ? update.members.find((member) => member.peer === peer)
        : update.member.peer === peer
          ? update.member
          : undefined
    if (row === undefined) continue
    if (isGone(row) || (update.type === 'member' && update.change === 'reaped')) return
    if (row.status !== 'dead') throw notDead(row)
  }
  throw ended()
}

function isGone({ status }: MemberView): boolean {
  return status === 'left' || status === 'leaving'
}

function notDead({ peer, name, status }: MemberView): P2pdError {
  return new P2pdError('ERR_NOT_DEAD', `${name} (${peer}) is ${status}, not dead`, { hint: advice[status] })
}

const advice: Readonly<Record<MemberView['status'], string>> = {
  joining: "it lives: 'p2pd leave' on that machine, or 'p2pd peers deny' to keep it out",
  alive: "it lives: 'p2pd leave' on that machine, or 'p2pd peers deny' to keep it out",
  suspect: 'wait until it is dead, or alive again: within the suspicion time-out, some seconds',
  stalled:
    'its machine answers, its process does not: wait half a minute until it is dead, or end that process',
  dead: '',
  leaving: '',
  left: '',
}

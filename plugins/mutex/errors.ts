/** What is wrong with a lock or its voters, told in one way wherever it is asked for. */
import type { PeerId } from '../../lib/protocols/core.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { minLeaseMs } from './core/config.ts'
import type { ElectorateView } from './core/electorate/messages.ts'
import { mutexLimits } from './core/limits.ts'
import { isLockName } from './core/lock-name.ts'
import type { MutexEvent, MutexFailure, Refusal } from './core/messages.ts'

/** How people know a peer: its name, where there is one. */
export type NameOf = (peer: PeerId) => string | undefined

export function assertLockName(name: unknown): asserts name is string {
  if (typeof name === 'string' && isLockName(name)) return
  throw new P2pdError('ERR_LOCK_NAME', `${quoted(name)} is no name of a lock`, {
    hint: `1 to ${mutexLimits.nameBytes} bytes of UTF-8, no control characters among them`,
  })
}

/** Whatever was given as a name, as far as one could go. */
function quoted(name: unknown): string {
  if (typeof name !== 'string') return `a ${typeof name}`
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name)
}

/** `maxLeaseMs`: of the electorate, if that is known here. */
export function assertLease(leaseMs: number, maxLeaseMs: number | undefined): void {
  if (leaseMs >= minLeaseMs && leaseMs <= (maxLeaseMs ?? Number.MAX_SAFE_INTEGER)) return
  throw badLease(leaseMs, maxLeaseMs)
}

function badLease(leaseMs: number, maxLeaseMs: number | undefined): P2pdError {
  const longest = maxLeaseMs === undefined ? 'the longest of the electorate' : `${maxLeaseMs} ms`
  return new P2pdError('ERR_LEASE', `a lease of ${leaseMs} ms`, {
    hint: `a lease has ${minLeaseMs} ms to ${longest}: it is renewed for as long as the lock is held`,
  })
}

export function assertWait(waitMs: number | undefined): void {
  if (waitMs === undefined || waitMs >= 0) return
  throw new P2pdError('ERR_BAD_OPTION', `waitMs is ${waitMs}`, {
    hint: 'milliseconds from 0 on; leave it out to wait for as long as it takes',
  })
}

/** Why a request for a lock has failed. */
export function requestError(
  failure: MutexFailure,
  request: { readonly name: string; readonly leaseMs: number },
  view: ElectorateView,
  nameOf: NameOf,
): P2pdError {
  switch (failure.type) {
    case 'no-quorum':
      return noQuorum(view, failure.missing, nameOf)
    case 'held':
      return held(request.name, view)
    case 'refused':
      return refused(failure.reason, request, view)
    case 'no-electorate':
      return new P2pdError('ERR_NO_ELECTORATE', 'nobody here knows who votes on locks', {
        hint: 'connect to a peer that has locks; a peer that was started to join founds none',
      })
    case 'stopped':
      return mutexStopped()
  }
}

/** Which of the reasons it is, only the voters know; of its own abstention this peer knows. */
function held(name: string, { abstainsForMs }: ElectorateView): P2pdError {
  const why =
    abstainsForMs > 0
      ? `this voter has restarted, and abstains for ${Math.ceil(abstainsForMs / 1000)} s more`
      : 'somebody holds it, the lease of one that is gone still runs, or voters that restarted abstain'
  return new P2pdError('ERR_LOCK_HELD', `lock '${name}' is not to be had yet: ${why}`, {
    hint: "'p2pd locks' shows who holds it, and 'p2pd voters' who abstains; wait longer, or try later",
  })
}

function refused(
  reason: Refusal,
  { name, leaseMs }: { readonly name: string; readonly leaseMs: number },
  { maxLeaseMs }: ElectorateView,
): P2pdError {
  if (reason === 'too-many') return tooMany('the voters keep no more requests')
  if (reason === 'lease-too-long') return badLease(leaseMs, maxLeaseMs)
  return new P2pdError('ERR_LOCK_REFUSED', `the voters refuse the request for lock '${name}': ${reason}`, {
    hint: 'ask again; when it goes on, this peer and the voters run versions that do not fit each other',
  })
}

export function noQuorum(view: ElectorateView, missing: readonly PeerId[], nameOf: NameOf): P2pdError {
  const { voters } = view
  const answering = voters.filter(({ peer }) => !missing.includes(peer)).length
  const names = missing.map((peer) => shown(peer, nameOf)).join(', ')
  const what = missing.length === 0 ? '' : `; missing: ${names}`
  return new P2pdError(
    'ERR_NO_QUORUM',
    `${answering} of ${voters.length} voters answer, and it takes more than half${what}`,
    { hint: 'start the missing voters, or mend the network between; until then nobody gets a lock' },
  )
}

/** `name (id)`, or the id alone. */
function shown(peer: PeerId, nameOf: NameOf): string {
  const name = nameOf(peer)
  return name === undefined ? peer : `${name} (${peer})`
}

export function lockLost(
  name: string,
  reason: Extract<MutexEvent, { readonly type: 'lost' }>['reason'],
): P2pdError {
  const why = {
    expired: 'it could not be renewed in time',
    slept: 'the machine slept, or its clock jumped',
    stopped: 'the peer has stopped',
  }[reason]
  return new P2pdError('ERR_LOCK_LOST', `lock '${name}' is lost: ${why}`, {
    hint: 'stop what it protects, and acquire it again; the resource should refuse the old token',
  })
}

/** Said once when it shows itself: until somebody chooses, a lock can be held once in each. */
export function electorateConflict(peer: PeerId, nameOf: NameOf): P2pdError {
  return new P2pdError(
    'ERR_ELECTORATE_CONFLICT',
    `${shown(peer, nameOf)} belongs to another electorate: a lock can be held once in each`,
    {
      hint: 'two clusters were used as two; start the peers of one of them anew, with an invite of the other',
    },
  )
}

export function tooMany(what: string): P2pdError {
  return new P2pdError('ERR_TOO_MANY', what, { hint: 'release or give up some first' })
}

export function mutexStopped(): P2pdError {
  return new P2pdError('ERR_STOPPED', 'the peer has stopped')
}

/** A change of the voters that is not to be. */
export function votersRefused(reason: string): P2pdError {
  return new P2pdError('ERR_VOTERS_REFUSED', `the change of the voters is not done: ${reason}`, {
    hint: "'p2pd voters' shows who votes and how each stands",
  })
}

export function voterRecovered(): P2pdError {
  return new P2pdError('ERR_VOTER_RECOVERED', 'this sole voter goes on by hand with a disk that went back', {
    hint: 'a token that was given after the backup may be given again: look at what the locks protect',
  })
}

export function leaveIncomplete(): P2pdError {
  return new P2pdError(
    'ERR_LEAVE_INCOMPLETE',
    'the locks need this peer: no quorum without it has taken them over',
    { hint: "wait until others are connected; 'p2pd leave --force' leaves all the same, and locks may stop" },
  )
}

/** Ways into a lock: through the control API, and with a command under `p2pd lock`. */
import { fileURLToPath } from 'node:url'
import { LockClient } from '../../daemon/client/lock-client.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Cluster } from './cluster.ts'
import { HeldLock } from './held-lock.ts'
import type { Ledger } from './ledger.ts'
import type { CommandEnd, LockCommand } from './lock-command.ts'
import type { Outcome, Visit } from './lock-log.ts'
import type { Member } from './member.ts'

/** What a visit needs of a cluster. */
export type LockStage = Pick<Cluster, 'locks' | 'recorder' | 'command'>

export interface Door {
  readonly lock: string
  readonly leaseMs: number
  readonly ledger: Ledger
}

const writerProgram = fileURLToPath(new URL('./ledger-writer-main.js', import.meta.url))

/** By the exit code of `p2pd lock`. */
const outcomes: ReadonlyMap<number | null, Outcome> = new Map([
  [4, 'held'],
  [5, 'no-quorum'],
])

/** Asks, enters, writes a line and leaves. The error of the daemon, if it came to one. */
export async function visitOnce(
  { locks, recorder }: LockStage,
  { name: peer, lives: life, dataDir }: Member,
  { lock, leaseMs, ledger }: Door,
  caller: string,
  signal: AbortSignal,
): Promise<{ readonly visit: Visit; readonly error: unknown }> {
  const visit = locks.ask({ lock, peer, life, caller })
  let held: HeldLock
  try {
    held = await HeldLock.acquire(LockClient.open(dataDir), recorder, lock, { leaseMs }, signal)
  } catch (error) {
    // What is given up because the run ends, or the daemon is killed, has no answer.
    if (!signal.aborted && !locks.isGone(peer, life)) visit.answered(outcomeOf(error))
    return { visit, error }
  }
  visit.entered(held.token, held.heldAt)
  const error = await work(visit, held, ledger).catch((reason: unknown) => reason)
  // Its last look at the lease may be all that is known of it.
  visit.left(locks.isGone(peer, life) ? 'died' : 'lost', held.heldAt)
  return { visit, error }
}

async function work(visit: Visit, held: HeldLock, ledger: Ledger): Promise<void> {
  if (held.insideAt === undefined) await held.look()
  if (held.insideAt !== undefined) ledger.write(visit)
  const insideAt = held.insideAt
  if (insideAt !== undefined) visit.left('released', insideAt)
  await held.release()
}

/** Runs a command under the lock that writes to the ledger, through the real client. */
export function visitByCommand(
  { locks, command }: LockStage,
  { name: peer, lives: life, dataDir }: Member,
  { lock, leaseMs, ledger }: Door,
  forMs: number | 'forever',
): { readonly visit: Visit; readonly command: LockCommand; readonly ended: Promise<CommandEnd> } {
  const visit = locks.ask({ lock, peer, life, caller: `a command at ${peer}` })
  const writer = [process.execPath, writerProgram, ledger.socketPath, `${visit.request}`, `${forMs}`]
  const args = ['lock', lock, '--data', dataDir, '--lease', `${leaseMs}ms`, '--json', '--', ...writer]
  const child = command(args)
  const ended = child.ended.then((end) => {
    if (visit.outcome === undefined && !locks.isGone(peer, life)) {
      visit.answered(outcomes.get(end.code) ?? 'failed')
    }
    return end
  })
  return { visit, command: child, ended }
}

function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof P2pdError)) return 'failed'
  if (error.code === 'ERR_NO_QUORUM') return 'no-quorum'
  return error.code === 'ERR_LOCK_HELD' ? 'held' : 'failed'
}

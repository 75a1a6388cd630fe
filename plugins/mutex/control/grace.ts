/**
 * When a command has to end because its lock is about to be lost. Daemon and
 * client go by the same rule, each on its own clock.
 */

/** SIGTERM, when the lock is valid for no longer than this, ms: renewals, each third of a lease, have failed more than once. */
export function graceMs(leaseMs: number): number {
  return Math.min(2000, leaseMs / 5)
}

/** SIGKILL, when it is valid for no longer than this, ms: for a timer that is late, and for processes to die. */
export function killMarginMs(leaseMs: number): number {
  return Math.min(500, Math.max(50, leaseMs / 20))
}

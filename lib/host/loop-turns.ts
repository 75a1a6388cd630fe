/**
 * Turns of the event loop between a timer and what it stands for.
 *
 * After a stall Node runs timers before it reads sockets, so an answer that has
 * long arrived would be seen after the time limit that declares it missing. Each
 * `setImmediate` lets one round of socket reads through. Measured with the whole
 * stack (pnet, noise, yamux, frames), two processes, a loop blocked for 1.5 s and the
 * answer in the socket; how often it came too late, of 56 runs each:
 *
 * ```
 *   turns                               0    1    2    3
 *   the answer alone                   48    0    0    0
 *   behind 180 kB on its connection    53   14    0    0
 * ```
 *
 * Decryption and framing run in the turn of the read, so it is reads that count: one
 * takes 64 KiB at most. Three, because other connections may come first.
 */
export const turnsBeforeWake = 3

/** Runs `run` when the sockets have been read so often. */
export function afterTurns(turns: number, run: () => void): void {
  if (turns > 0) setImmediate(() => afterTurns(turns - 1, run))
  else run()
}

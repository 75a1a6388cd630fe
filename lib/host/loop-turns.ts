/**
 * Turns of the event loop between a timer and what it stands for.
 *
 * After a stall Node runs timers before it reads sockets, so an answer that has
 * long arrived would be seen after the time limit that declares it missing. Each
 * `setImmediate` lets one round of socket reads through. Measured with the whole
 * stack (pnet, noise, yamux, frames) and a loop blocked for 1.5 s: without a turn
 * the answer came too late 12 of 12 times, with one turn never, because decryption
 * and framing run in the turn of the read. Three, because a read takes 64 KiB at
 * most and other connections may come first.
 */
export const turnsBeforeWake = 3

/** Runs `run` when the sockets have been read so often. */
export function afterTurns(turns: number, run: () => void): void {
  if (turns > 0) setImmediate(() => afterTurns(turns - 1, run))
  else run()
}

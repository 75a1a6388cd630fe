/**
 * Milliseconds on the clock of this machine, which all of its processes share and
 * which never goes back: what several of them stamp can be put into one order.
 */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

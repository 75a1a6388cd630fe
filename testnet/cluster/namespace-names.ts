/**
 * What the network namespaces of a run are called. The names say whose they are,
 * so that those of a run that was killed together with its reaper are told from
 * those of one that goes on: `p2pd-PIDSPACE-PID-BEGAN-PLACE`.
 */
import { readlinkSync } from 'node:fs'
import { beginning } from './beginning.ts'

const pattern = /^p2pd-(\d{1,20})-(\d{1,10})-(\d{1,20})-(?:hub|n\d{1,3})$/

/** Of the process that asks; two runs of one process at a time have one network. */
export function runId(): string {
  return `${pidSpace()}-${process.pid}-${beginning(process.pid) ?? 0}`
}

/** `place` is `hub`, or the name of a peer. */
export function namespaceName(run: string, place: string): string {
  return `p2pd-${run}-${place}`
}

export function isOwnNamespace(name: string): boolean {
  return pattern.test(name)
}

/** Made by a run of which nothing is left. In doubt, which another space of pids is, it is not. */
export function isLeftOver(name: string): boolean {
  const [, space, pid, began] = pattern.exec(name) ?? []
  return space === pidSpace() && beginning(Number(pid)) !== began
}

/** Pids mean something only within it; the number of its inode. */
function pidSpace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
  } catch {
    return '0'
  }
}

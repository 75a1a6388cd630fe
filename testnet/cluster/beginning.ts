import { readFileSync } from 'node:fs'

/** Linux's start time of a process, in ticks since boot; undefined elsewhere and for one that is gone. */
export function beginning(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Field 22; counted from behind the command's name, which may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

/** The process behind `reaper.ts`: a line `+PID` lists a process, `-PID` strikes it off, the end kills. */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** By pid, the time at which the process began: a pid that was given to another one is left alone. */
const listed = new Map<number, string | undefined>()

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const pid = Number(line.slice(1))
    if (!Number.isSafeInteger(pid) || pid <= 1) return
    if (line.startsWith('+')) listed.set(pid, beginning(pid))
    else listed.delete(pid)
  })
  .on('close', () => {
    for (const [pid, began] of listed) if (beginning(pid) === began) kill(pid)
  })

/** Linux's start time of a process, in ticks since boot; undefined elsewhere and for one that is gone. */
function beginning(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Field 22; counted from behind the command's name, which may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

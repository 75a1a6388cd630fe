/**
 * The process behind `reaper.ts`: a line `+PID` lists a process, `-PID` strikes it
 * off; `+NAME` and `-NAME` do the same to a network namespace. The end of the
 * lines kills and removes what is listed.
 */
import { createInterface } from 'node:readline'
import { beginning } from './beginning.ts'
import { removeNamespace } from './leftovers.ts'
import { isOwnNamespace } from './namespace-names.ts'

/** By pid, the time at which the process began: a pid that was given to another one is left alone. */
const listed = new Map<number, string | undefined>()
const namespaces = new Set<string>()

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const adds = line.startsWith('+')
    const what = line.slice(1)
    if (isOwnNamespace(what)) {
      if (adds) namespaces.add(what)
      else namespaces.delete(what)
      return
    }
    const pid = Number(what)
    if (!Number.isSafeInteger(pid) || pid <= 1) return
    if (adds) listed.set(pid, beginning(pid))
    else listed.delete(pid)
  })
  .on('close', () => {
    for (const [pid, began] of listed) if (beginning(pid) === began) kill(pid)
    for (const name of namespaces) removeNamespace(name)
  })

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

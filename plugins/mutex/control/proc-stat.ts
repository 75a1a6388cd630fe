/** Processes as Linux shows them: proc(5), `/proc/PID/stat`. */
import { existsSync, readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'

export interface ProcStat {
  readonly pid: number
  readonly group: number
  readonly session: number
  /** The group in the foreground of its terminal; -1 without one. */
  readonly foreground: number
  /** Clock ticks from the boot to its start: with the pid, the process and no later one of that pid. */
  readonly startTime: number
  /** Ended, and only kept until its parent takes notice. */
  readonly isZombie: boolean
}

/** False where the platform has no such files. */
export const hasProcFiles = existsSync('/proc/self/stat')

/** Undefined when there is no such process. */
export function readProcStat(pid: number): ProcStat | undefined {
  try {
    return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return undefined
  }
}

/** Read at a time: a machine may have thousands. */
const chunk = 64

/** All that may be seen, and that `select` takes. */
export async function findProcesses(select: (stat: ProcStat) => boolean): Promise<readonly ProcStat[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found: ProcStat[] = []
  for (let at = 0; at < pids.length; at += chunk) {
    const texts = await Promise.all(
      // It may have ended since the folder was read.
      pids.slice(at, at + chunk).map((pid) => readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')),
    )
    for (const text of texts) {
      const stat = parseProcStat(text)
      if (stat !== undefined && select(stat)) found.push(stat)
    }
  }
  return found
}

/** Of one line of `/proc/PID/stat`. */
export function parseProcStat(text: string): ProcStat | undefined {
  // The command's name stands in brackets, and may itself hold brackets and blanks.
  const nameEnd = text.lastIndexOf(')')
  if (nameEnd < 0) return undefined
  const fields = text.slice(nameEnd + 2).split(' ')
  const number = (field: number): number => Number(fields[field - 3])
  const stat = {
    pid: Number.parseInt(text, 10),
    group: number(5),
    session: number(6),
    foreground: number(8),
    startTime: number(22),
    // One whose first thread alone has ended shows the same state, and runs on.
    isZombie: (fields[0] === 'Z' || fields[0] === 'X') && number(20) <= 1,
  }
  return Number.isSafeInteger(stat.startTime) ? stat : undefined
}

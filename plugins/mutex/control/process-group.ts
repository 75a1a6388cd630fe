/**
 * The process group of a command that runs under a lock, and how it is ended.
 *
 * A pid may be given to another process once its own has ended; so may the number
 * of a group, but only when the group and its session are empty. Where the
 * platform shows when a process started (Linux), a leader that started at another
 * time is somebody else's, and our group is gone.
 *
 * A group is gone when nobody of it runs: zombies do no more harm, and the parent
 * that should take notice of them may be stopped. To the group belongs whoever is
 * in the session that it leads: a shell that puts its jobs into groups of their
 * own does not take them out of the lock. What starts a session of its own does.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { P2pdError } from '../../../lib/wire/errors.ts'
import { findProcesses, hasProcFiles, readProcStat } from './proc-stat.ts'

export interface GroupName {
  readonly pgid: number
  /** Of its leader, as in `/proc/PID/stat`; null where the platform does not tell. */
  readonly startTime: number | null
}

export interface EndOptions {
  /** Between SIGTERM and SIGKILL; 0 is SIGKILL at once. */
  readonly graceMs: number
  /** SIGKILL as soon as it aborts. */
  readonly hurry?: AbortSignal
}

/** Between two looks: at first, and at most while it may end by itself, or cannot be ended. */
const firstLookMs = 5
const longestGraceLookMs = 100
const longestLookMs = 1000

export class ProcessGroup {
  readonly name: GroupName
  #isGone = false

  /** Of `name` as somebody else says; `adopt` looks whether that can be. */
  constructor(name: GroupName) {
    this.name = name
  }

  /** Of a process that leads it, and runs. Errors: ERR_LOCK_GROUP. */
  static led(pid: number): ProcessGroup {
    if (!hasProcFiles) return new ProcessGroup({ pgid: pid, startTime: null })
    const leader = readProcStat(pid)
    if (leader === undefined) throw notThere(pid)
    return new ProcessGroup({ pgid: pid, startTime: leader.startTime })
  }

  /** A group that somebody else started. Errors: ERR_LOCK_GROUP unless it is there, and is not our own. */
  static adopt(name: GroupName): ProcessGroup {
    const { pgid, startTime } = name
    if (!hasProcFiles) {
      if (!exists(pgid)) throw notThere(pgid)
      return new ProcessGroup(name)
    }
    const leader = readProcStat(pgid)
    const own = readProcStat(process.pid)
    // Processes of other users may be hidden: they can still be waited for.
    if (leader === undefined && !exists(pgid)) throw notThere(pgid)
    if (leader !== undefined && (leader.group !== pgid || leader.startTime !== startTime))
      throw notThere(pgid)
    if (own?.group === pgid || own?.session === pgid) {
      throw new P2pdError('ERR_LOCK_GROUP', `process group ${pgid} is the daemon's own`)
    }
    return new ProcessGroup(name)
  }

  /** Nobody of it runs. Once true, it stays so. */
  async isGone(): Promise<boolean> {
    this.#isGone ||= this.#isReplaced() || (await this.#isEmpty())
    return this.#isGone
  }

  /** To all of the group, at once. Nothing happens when it is gone. */
  signal(name: NodeJS.Signals): void {
    this.#isGone ||= this.#isReplaced()
    if (!this.#isGone) sendSignal(this.name.pgid, name)
  }

  /**
   * SIGTERM, and SIGKILL to what is left. Resolves when it is gone, however long
   * that takes: whoever cannot be killed may still be at it.
   */
  async end({ graceMs, hurry }: EndOptions): Promise<void> {
    const isHurried = (): boolean => hurry?.aborted === true
    if (graceMs > 0 && !isHurried()) {
      if (await this.isGone()) return
      this.signal('SIGTERM')
      // A stopped process takes no notice of SIGTERM.
      this.signal('SIGCONT')
      await this.#signalOthers('SIGTERM')
      const graceEnd = performance.now() + graceMs
      for (const lookMs of looks(longestGraceLookMs)) {
        const leftMs = graceEnd - performance.now()
        if (leftMs <= 0 || isHurried()) break
        await sleep(Math.min(lookMs, leftMs), hurry)
        if (await this.isGone()) return
        // Whoever was forked just then, or stops again, must not sit out the time of grace.
        this.signal('SIGCONT')
      }
    }
    for (const lookMs of looks(longestLookMs)) {
      this.signal('SIGKILL')
      if (await this.isGone()) return
      await this.#signalOthers('SIGKILL')
      await sleep(lookMs)
    }
  }

  async #isEmpty(): Promise<boolean> {
    const { pgid } = this.name
    const found = exists(pgid)
    if (!hasProcFiles) return !found
    if (readProcStat(pgid)?.isZombie === false) return false
    const processes = await findProcesses((stat) => stat.group === pgid || stat.session === pgid)
    if (processes.some(({ isZombie }) => !isZombie)) return false
    // Those of other users may be hidden.
    return processes.length > 0 || !found
  }

  /** The number belongs to a younger process. */
  #isReplaced(): boolean {
    const { pgid, startTime } = this.name
    if (startTime === null) return false
    const leader = readProcStat(pgid)
    return leader !== undefined && leader.startTime !== startTime
  }

  /** Those of the session that are in other groups. */
  async #signalOthers(name: NodeJS.Signals): Promise<void> {
    const { pgid } = this.name
    if (!hasProcFiles || this.#isGone) return
    const others = await findProcesses((stat) => stat.session === pgid && stat.group !== pgid)
    for (const group of new Set(others.map((stat) => stat.group))) sendSignal(group, name)
  }
}

function* looks(longestMs: number): Generator<number, never, undefined> {
  for (let lookMs = firstLookMs; ; lookMs = Math.min(longestMs, 2 * lookMs)) yield lookMs
}

/** Resolves early when `signal` aborts. */
async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {})
}

function exists(group: number): boolean {
  try {
    process.kill(-group, 0)
    return true
  } catch (error) {
    return !isNobody(error)
  }
}

function sendSignal(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name)
  } catch (error) {
    // Of another user (sudo): whoever looks sees that it is still there.
    if (!isNobody(error) && Reflect.get(error as object, 'code') !== 'EPERM') throw error
  }
}

function isNobody(error: unknown): boolean {
  return error instanceof Error && Reflect.get(error, 'code') === 'ESRCH'
}

function notThere(pgid: number): P2pdError {
  return new P2pdError('ERR_LOCK_GROUP', `the daemon sees no process group ${pgid} of that start time`, {
    hint: 'run the command on the machine, and in the container, that the daemon runs in',
  })
}

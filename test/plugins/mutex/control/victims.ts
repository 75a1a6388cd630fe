/** Real processes for the tests, each leading a group of its own, dead when the tests are. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { ProcessGroup } from '../../../../plugins/mutex/control/process-group.ts'
import { Reaper } from '../../../../testnet/cluster/reaper.ts'

export interface Victim {
  readonly pid: number
  readonly group: ProcessGroup
  readonly child: ChildProcess
  /** Of the processes that it started and told of. */
  readonly pids: readonly number[]
}

let reaper: Reaper | undefined
const running = new Set<ChildProcess>()

/** Runs a shell script, and waits until it says `ready`, with pids of its own after it. */
export async function startVictim(script: string): Promise<Victim> {
  reaper ??= Reaper.start()
  const child = spawn('bash', ['-c', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
  const { pid = 0 } = child
  reaper.watch(pid)
  running.add(child)
  child.once('exit', () => {
    running.delete(child)
    reaper?.forget(pid)
  })
  const group = ProcessGroup.led(pid)
  let said = ''
  for await (const [chunk] of onData(child)) {
    said += chunk
    if (said.includes('\n')) break
  }
  const pids = said.trim().split(' ').slice(1).map(Number)
  return { pid, group, child, pids }
}

/** `startVictim` of a shell that sleeps. */
export const sleeping = 'echo ready; exec sleep 100'
export const ignoringTerm = "trap '' TERM; echo ready; while :; do sleep 0.1; done"

/** It runs, and is no zombie. */
export function runs(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

/** For `afterEach`. */
export async function killVictims(): Promise<void> {
  for (const child of [...running]) {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL')
    } catch {
      // Gone already.
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  await reaper?.close()
  reaper = undefined
}

async function* onData(child: ChildProcess): AsyncGenerator<[string]> {
  const { stdout } = child
  if (stdout === null) throw new Error('it has no stdout')
  for (;;) {
    const [chunk] = (await once(stdout, 'data')) as [Buffer]
    yield [chunk.toString()]
  }
}

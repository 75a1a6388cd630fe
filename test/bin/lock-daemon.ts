/** `lock-daemon-main.ts` as a process of its own, and `p2pd` commands that may be stopped and killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ControlClient } from '../../daemon/client/client.ts'
import { Reaper } from '../../testnet/cluster/reaper.ts'
import { eventually } from '../support/eventually.ts'
import { tempDir } from '../support/temp-dir.ts'

const daemonProgram = fileURLToPath(new URL('./lock-daemon-main.js', import.meta.url))
const cli = fileURLToPath(new URL('../../bin/p2pd.js', import.meta.url))

export interface LockDaemon {
  readonly dataDir: string
  readonly child: ChildProcess
  readonly client: ControlClient
  /** What `lock-daemon-main.ts` does below `/test/`. */
  test<Answer = object>(what: string): Promise<Answer>
}

export interface Command {
  readonly pid: number
  readonly child: ChildProcess
  stdout(): string
  stderr(): string
  /** Its exit code, or the signal that ended it. */
  ended(): Promise<number | NodeJS.Signals | null>
}

let reaper: Reaper | undefined
const running = new Set<ChildProcess>()
/** What a test leaves running of the processes that its commands told of. */
const told = new Set<number>()

export async function startLockDaemon(): Promise<LockDaemon> {
  const dataDir = await tempDir()
  const child = start([daemonProgram, dataDir], {})
  const said = collect(child.stdout)
  await eventually('the daemon listens', () => said().includes('ready'))
  const client = ControlClient.open(dataDir)
  return { dataDir, child, client, test: (what) => client.ask({ method: 'GET', path: `/test/${what}` }) }
}

/** `p2pd ARGS`, its stdin open. */
export function startCommand(dataDir: string, args: readonly string[]): Command {
  const child = start([cli, ...args], { P2PD_DATA: dataDir })
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  return { pid: child.pid ?? 0, child, stdout, stderr, ended: () => ended }
}

/** The pids that the command under the lock printed on its first line. */
export async function pidsOf(command: Command): Promise<readonly number[]> {
  const line = await eventually('the command runs', () => /^pids? ([\d ]+)\n/.exec(command.stdout())?.[1])
  const pids = line.trim().split(' ').map(Number)
  for (const pid of pids) told.add(pid)
  return pids
}

/** One letter, as in proc(5); undefined when there is no such process. */
export function stateOf(pid: number): string | undefined {
  try {
    return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1]
  } catch {
    return undefined
  }
}

export function runs(pid: number): boolean {
  return !['Z', 'X', undefined].includes(stateOf(pid))
}

/** For `afterEach`. */
export async function killAll(): Promise<void> {
  for (const pid of told) {
    for (const target of [-pid, pid]) kill(target)
  }
  told.clear()
  for (const child of [...running]) {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  await reaper?.close()
  reaper = undefined
}

function start(args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  reaper ??= Reaper.start()
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, HOME: '/nonexistent', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const { pid = 0 } = child
  reaper.watch(pid)
  running.add(child)
  child.once('exit', () => {
    running.delete(child)
    reaper?.forget(pid)
  })
  child.stdin?.on('error', () => {})
  return child
}

/** A process, or the group that one leads. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = ''
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  return () => text
}

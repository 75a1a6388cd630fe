/** Real daemons for the tests: started, waited for, and dead when the tests are. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ReadyEvent } from '../../../daemon/ready.ts'
import { Reaper } from '../../../testnet/cluster/reaper.ts'
import { eventually } from '../../support/eventually.ts'

const program = fileURLToPath(new URL('../../../bin/p2pd.js', import.meta.url))

export interface TestDaemon {
  readonly pid: number
  readonly child: ChildProcess
  readonly ready: ReadyEvent
  stdout(): string
  stderr(): string
  /** The exit code. */
  ended(): Promise<number | null>
}

export interface StartOptions {
  readonly args?: readonly string[]
  readonly env?: Record<string, string>
  readonly stdin?: string
}

let reaper: Reaper | undefined
const running = new Set<ChildProcess>()
const closed = new WeakSet<ChildProcess>()

/** Listens on loopback, at a free port unless the data directory knows one. */
export async function startDaemon(dataDir: string, options: StartOptions = {}): Promise<TestDaemon> {
  const { child, stdout, stderr } = spawnDaemon(dataDir, ['--json', ...(options.args ?? [])], options)
  const line = await eventually('the daemon is ready', () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${stderr()}`)
    return stdout()
      .split('\n')
      .find((text) => text.includes('"event":"ready"'))
  })
  return {
    pid: child.pid ?? 0,
    child,
    ready: JSON.parse(line) as ReadyEvent,
    stdout,
    stderr,
    ended: () => exitOf(child),
  }
}

export function spawnDaemon(
  dataDir: string,
  args: readonly string[],
  options: StartOptions = {},
): { child: ChildProcess; stdout: () => string; stderr: () => string } {
  reaper ??= Reaper.start()
  const { P2PD_DATA, NOTIFY_SOCKET, ...inherited } = process.env
  const child = spawn(process.execPath, [program, '--data', dataDir, ...args], {
    env: { ...inherited, P2PD_LISTEN: '/ip4/127.0.0.1/tcp/0', P2PD_PROFILE: 'local', ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid !== undefined) reaper.watch(pid)
  running.add(child)
  child.once('exit', () => {
    running.delete(child)
    if (pid !== undefined) reaper?.forget(pid)
  })
  child.once('close', () => closed.add(child))
  child.stdin.on('error', () => {})
  child.stdin.end(options.stdin ?? '')
  return { child, stdout: collect(child.stdout), stderr: collect(child.stderr) }
}

/** Once all that it wrote is here too. */
export async function exitOf(child: ChildProcess, withinMs = 15_000): Promise<number | null> {
  await eventually('the daemon ends', () => closed.has(child), withinMs)
  return child.exitCode
}

/** For `afterEach`: nothing that a test started outlives it. */
export async function killDaemons(): Promise<void> {
  for (const child of [...running]) {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  await reaper?.close()
  reaper = undefined
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = ''
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  return () => text
}

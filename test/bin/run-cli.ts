import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const entry = fileURLToPath(new URL('../../bin/p2pd.js', import.meta.url))

export interface CliResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>
  /** What stdin gives; without it there is none. */
  readonly stdin?: string | Uint8Array
  /** Stdin does not end after that. */
  readonly stdinStaysOpen?: boolean
  /** Sent SIGINT once stdout holds this. */
  readonly interruptAt?: string
  /** Called once stdout holds this. */
  readonly onceSaid?: { readonly text: string; readonly act: () => void }
  /** Nobody reads stdout any more once it holds this. */
  readonly hangUpAt?: string
}

/** `p2pd` as a process of its own, without a terminal, at most 20 s. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [entry, ...args], {
      env: { PATH: process.env.PATH, HOME: '/nonexistent', ...options.env },
      stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      timeout: 20_000,
      killSignal: 'SIGKILL',
    })
    let stdout = ''
    let stderr = ''
    let interrupted = false
    let awaited = options.onceSaid
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk
      if (!interrupted && options.interruptAt !== undefined && stdout.includes(options.interruptAt)) {
        interrupted = true
        child.kill('SIGINT')
      }
      if (awaited !== undefined && stdout.includes(awaited.text)) {
        awaited.act()
        awaited = undefined
      }
      if (options.hangUpAt !== undefined && stdout.includes(options.hangUpAt)) child.stdout?.destroy()
    })
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk
    })
    // It may end before it has read everything.
    child.stdin?.on('error', () => {})
    child.stdin?.write(options.stdin ?? '')
    if (!options.stdinStaysOpen) child.stdin?.end()
    child.once('error', reject)
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
  })
}

/** A program in a process of its own, driven by JSON lines: one answer a question, in order. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface Driven {
  readonly pid: number | undefined
  /** Whatever is asked fails. */
  gone(error: Error): void
  /** Rejects when the program ends before it has answered. */
  ask(command: object): Promise<unknown>
  /** At once, as a crash. */
  kill(): Promise<void>
  /** It ends when nobody talks to it any more. */
  end(): Promise<void>
}

const folder = fileURLToPath(new URL('../../bench/rivals/', import.meta.url))

/** `name` is one of `rivals/`, or a path. */
export function startProgram(name: string, cwd: string, nodeFlags: readonly string[] = []): Driven {
  const args = [...nodeFlags, resolve(folder, name)]
  const child = spawn(process.execPath, args, { cwd, stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting: { resolve: (event: unknown) => void; reject: (error: Error) => void }[] = []
  let ending: Error | undefined
  const gone = (error: Error): void => {
    ending = error
    for (const { reject } of waiting.splice(0)) reject(error)
  }
  const ended = async (act: () => void): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
    const exit = once(child, 'exit')
    act()
    await exit
  }
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line)))
  child.once('error', gone)
  child.once('exit', () => gone(new Error(`${name} ended`)))
  child.stdin.on('error', () => {})
  return {
    pid: child.pid,
    gone,
    ask: (command) =>
      new Promise((resolve, reject) => {
        if (ending !== undefined) return reject(ending)
        waiting.push({ resolve, reject })
        child.stdin.write(`${JSON.stringify(command)}\n`)
      }),
    kill: () => ended(() => child.kill('SIGKILL')),
    end: () => ended(() => child.stdin.end()),
  }
}

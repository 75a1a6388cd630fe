/** What a command is given of the world. */
import type { Environment } from '../daemon/paths.ts'

export interface Context {
  /** One object, or one object a line for streams, instead of text. */
  readonly json: boolean
  /** As given by `--data`; undefined leaves it to P2PD_DATA and the default. */
  readonly dataFlag: string | undefined
  /** Resolved, absolute. */
  readonly dataDir: string
  readonly env: Environment
  readonly stdin: NodeJS.ReadStream
  /** Data, and nothing else. */
  readonly stdout: Output
  readonly stderr: Output
  /** Aborted by Ctrl-C and by SIGTERM. */
  readonly signal: AbortSignal
}

export interface Output {
  write(text: string): boolean
  readonly isTTY?: boolean
  /** Of the terminal; undefined elsewhere. */
  readonly columns?: number
  readonly rows?: number
}

/** A module of `commands/`. `options` are those of its entry in the command table. */
export interface CommandModule {
  /** Returns the exit code; nothing means 0. Failures throw a P2pdError. */
  run(context: Context, args: readonly string[], options: object): Promise<number | undefined>
}

export function printLine(output: Output, text: string): void {
  output.write(`${text}\n`)
}

export function printJson(output: Output, value: unknown): void {
  output.write(`${JSON.stringify(value)}\n`)
}

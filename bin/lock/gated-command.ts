/**
 * A command that waits at a gate, so that whoever guards its process group knows
 * it before it runs.
 *
 * It leads a session, and so a group, of its own. Until the gate opens it is a
 * shell that waits for a line on a pipe from this process and then becomes the
 * command: the shell interprets nothing of it. When this process dies the pipe
 * ends, and nothing runs.
 *
 * Outside the terminal's session no Ctrl-C reaches it but by us, and it reads from
 * the terminal without being stopped. It has no `/dev/tty`, and a variable
 * whose name is none in a shell does not reach it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { isatty } from 'node:tty'
import type { Environment } from '../../daemon/paths.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { readProcStat } from '../../plugins/mutex/control/proc-stat.ts'
import { ProcessGroup } from '../../plugins/mutex/control/process-group.ts'

const launcher = 'IFS= read -r go <&3 || exit 125\nexec "$@" 3<&-'

export interface CommandEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class GatedCommand {
  readonly group: ProcessGroup
  readonly ended: Promise<CommandEnd>
  readonly #gate: Writable

  private constructor(child: ChildProcess, pid: number) {
    this.group = ProcessGroup.led(pid)
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
    })
    this.#gate = child.stdio[3] as Writable
    // It may have been killed at the gate.
    this.#gate.on('error', () => {})
  }

  /** Stdin, stdout and stderr are ours; a background job has no stdin. `file` is what `words[0]` was found to be. Errors: ERR_COMMAND_NOT_EXECUTABLE. */
  static async start(words: readonly string[], file: string, env: Environment): Promise<GatedCommand> {
    const [name = '', ...rest] = words
    // By the name that was typed, as a shell would start it; but one like an option is none to `exec`.
    const typed = name.startsWith('-') ? file : name
    const child = spawn('/bin/sh', ['-c', launcher, 'p2pd lock', typed, ...rest], {
      detached: true,
      stdio: [isInBackground() ? 'ignore' : 'inherit', 'inherit', 'inherit', 'pipe'],
      env,
    })
    if (child.pid === undefined) throw await whyNot(child, file)
    return new GatedCommand(child, child.pid)
  }

  open(): void {
    this.#gate.end('\n')
  }
}

/**
 * Of a terminal that somebody else reads: a shell's background job. The kernel would
 * stop it there, but knows of no terminal in the session of the command.
 */
function isInBackground(): boolean {
  const self = isatty(0) ? readProcStat(process.pid) : undefined
  return self !== undefined && self.foreground !== self.group
}

/** As a shell reports it. */
export function exitCodeOfEnd(
  { code, signal }: CommandEnd,
  numbers: Readonly<Record<string, number>>,
): number {
  return code ?? 128 + (numbers[signal ?? ''] ?? 0)
}

async function whyNot(child: ChildProcess, file: string): Promise<P2pdError> {
  const error = await new Promise<Error>((resolve) => child.once('error', resolve))
  return new P2pdError('ERR_COMMAND_NOT_EXECUTABLE', `${file} cannot be started: ${error.message}`, {
    hint: 'are there too many processes, or too many arguments?',
    cause: error,
  })
}

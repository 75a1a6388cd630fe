/** From the command line to an exit code. */
import { type Command, CommanderError } from 'commander'
import { exitCodes } from '../daemon/exit-code.ts'
import { resolveDataDir } from '../daemon/paths.ts'
import { P2pdError } from '../lib/wire/errors.ts'
import { commandModules } from './command-modules.ts'
import { printJson, printLine } from './context.ts'
import type { PluginCommand } from './plugin-verb.ts'
import { buildProgram, type Invocation } from './program.ts'
import { reportError } from './report.ts'
import { UnknownCommand } from './usage-error.ts'

/** `argv` without node and the script. Never throws; the answer is the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    return await interpret(argv, undefined)
  } catch (error) {
    return reportError(error, asksForJson(argv), process.stderr)
  }
}

/** `ofPlugin` is what a plugin of the daemon is known to have; it is looked for only where nothing else is meant. */
async function interpret(argv: readonly string[], ofPlugin: PluginCommand | undefined): Promise<number> {
  let exitCode: number = exitCodes.ok
  const help: string[] = []
  const output = { write: (text: string) => help.push(text) > 0 }
  const onInvocation = async (invocation: Invocation) => {
    exitCode = await invoke(invocation, ofPlugin)
  }
  const program = buildProgram(output, onInvocation, ofPlugin === undefined ? [] : [ofPlugin.spec])
  try {
    await program.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    const word = ofPlugin === undefined ? unknownWord(error, program) : undefined
    const found = word === undefined ? undefined : await findOfPlugin(word, program)
    if (found !== undefined) return await interpret(argv, found)
    if (!(error instanceof CommanderError && error.exitCode === 0)) throw error
    process.stdout.write(help.join(''))
    return exitCodes.ok
  }
}

/** What stands where a command should, and is none: also in `p2pd hello --help`, which is help for the parser. */
function unknownWord(error: unknown, program: Command): string | undefined {
  if (error instanceof UnknownCommand) return error.word
  const [word] = program.args
  const isHelp = error instanceof CommanderError && error.code === 'commander.helpDisplayed'
  if (!isHelp || word === undefined || word.startsWith('-')) return undefined
  return program.commands.some((command) => command.name() === word) || word === 'help' ? undefined : word
}

async function findOfPlugin(word: string, program: Command): Promise<PluginCommand | undefined> {
  const { findPluginCommand } = await import('./plugin-verb.ts')
  const { data } = program.opts<{ readonly data?: string }>()
  return await findPluginCommand(word, resolveDataDir(data, process.env))
}

async function invoke(
  { spec, path, args, options, common }: Invocation,
  ofPlugin: PluginCommand | undefined,
): Promise<number> {
  if (common.version) return await printVersion(common.json === true)
  const interruption = spec.ownsSignals ? undefined : watchSignals()
  watchOutputs(spec.outlivesReader === true)
  try {
    const command = spec === ofPlugin?.spec ? ofPlugin.module : await commandModules[path]?.()
    const exitCode = await command?.run(
      {
        json: common.json === true,
        dataFlag: common.data,
        dataDir: resolveDataDir(common.data, process.env),
        env: process.env,
        // Not before it is asked for: a program that only writes may have none.
        get stdin() {
          return process.stdin
        },
        stdout: process.stdout,
        stderr: process.stderr,
        signal: interruption?.signal ?? new AbortController().signal,
      },
      args,
      options,
    )
    return interruption?.exitCode() ?? exitCode ?? exitCodes.ok
  } catch (error) {
    const interrupted = interruption?.exitCode()
    if (interrupted !== undefined) return interrupted
    throw error
  }
}

/** 128 + SIGTERM, as a shell reports it. */
const terminated = 143

interface Interruption {
  readonly signal: AbortSignal
  /** 128 + the signal's number, once there was one. */
  exitCode(): number | undefined
}

/** The first signal asks the command to end; the second ends the process. */
function watchSignals(): Interruption {
  const aborter = new AbortController()
  let exitCode: number | undefined
  const interrupt = (code: number) => (): void => {
    if (exitCode !== undefined) process.exit(code)
    exitCode = code
    aborter.abort()
  }
  process.on('SIGINT', interrupt(exitCodes.interrupted))
  process.on('SIGTERM', interrupt(terminated))
  return { signal: aborter.signal, exitCode: () => exitCode }
}

function watchOutputs(outlivesReader: boolean): void {
  for (const output of [process.stdout, process.stderr]) {
    output.on('error', (error: NodeJS.ErrnoException) => {
      // `p2pd members --watch | head`: nobody reads any more, which is no failure.
      if (error.code === 'EPIPE') {
        if (!outlivesReader) process.exit(exitCodes.ok)
      } else if (output === process.stdout) {
        const failure = new P2pdError(
          'ERR_OUTPUT',
          `stdout cannot be written: ${error.code ?? error.message}`,
          {
            hint: 'is the disk full?',
          },
        )
        process.exit(reportError(failure, false, process.stderr))
      }
    })
  }
}

async function printVersion(json: boolean): Promise<number> {
  const { packageVersion } = await import('../daemon/version.ts')
  const version = packageVersion()
  if (json) printJson(process.stdout, { version })
  else printLine(process.stdout, version)
  return exitCodes.ok
}

/** Also where the command line did not parse. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end < 0 ? undefined : end).includes('--json')
}

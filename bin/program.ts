/** The command table as a commander program. */
import { Argument, Command, Option } from 'commander'
import { P2pdError } from '../lib/wire/errors.ts'
import {
  type ArgumentSpec,
  type CommandSpec,
  commandTable,
  commonOptions,
  type OptionSpec,
  runSpec,
  versionOption,
} from './command-table.ts'
import type { Output } from './context.ts'
import { pathOf, unknownCommand, usageError } from './usage-error.ts'

/** What the command line asks for. */
export interface Invocation {
  readonly spec: CommandSpec
  /** The verbs typed: `p2pd`, or `p2pd peers allow`. */
  readonly path: string
  readonly args: readonly string[]
  readonly options: Readonly<Record<string, unknown>>
  readonly common: { readonly data?: string; readonly json?: boolean; readonly version?: boolean }
}

const commonNames: ReadonlySet<string> = new Set(['data', 'json', 'version'])

/**
 * Help goes to `help` and throws commander's own error; wrong usage throws ERR_USAGE,
 * an `UnknownCommand` where it is that. `ofPlugins` stand beside the command table.
 */
export function buildProgram(
  help: Output,
  onInvocation: (invocation: Invocation) => Promise<void>,
  ofPlugins: readonly CommandSpec[] = [],
): Command {
  const program = buildCommand(runSpec, help, onInvocation)
    .enablePositionalOptions()
    .usage('[options]\n       p2pd COMMAND [options]')
    .addHelpText('after', exitCodeHelp)
    .helpCommand('help [command]', 'show the help of a command')
  program.addOption(toOption(versionOption))
  // Only there so that a mistyped command is told from one argument too many.
  program.argument('[command...]')
  for (const spec of [...commandTable, ...ofPlugins]) {
    program.addCommand(buildCommand(spec, help, onInvocation))
  }
  return program
}

function buildCommand(
  spec: CommandSpec,
  help: Output,
  onInvocation: (invocation: Invocation) => Promise<void>,
): Command {
  const command = new Command(spec.name)
    .description(spec.summary)
    .exitOverride((error) => {
      throw error.exitCode === 0 ? error : usageError(error, spec, command)
    })
    .configureOutput({ writeOut: (text) => help.write(text), writeErr: () => {} })
    .helpOption('-h, --help', 'show this help')
    .addHelpText('before', exampleHelp(spec))
  for (const argument of spec.arguments ?? []) command.addArgument(toArgument(argument))
  for (const option of [...(spec.options ?? []), ...commonOptions]) command.addOption(toOption(option))
  for (const sub of spec.subcommands ?? []) command.addCommand(buildCommand(sub, help, onInvocation))
  if (spec.subcommands === undefined || spec.standsAlone)
    command.action(() => onInvocation(toInvocation(spec, command)))
  return command
}

function toInvocation(spec: CommandSpec, command: Command): Invocation {
  const own = command.opts<Record<string, unknown>>()
  const common: Record<string, unknown> = {}
  for (let at: Command | null = command; at !== null; at = at.parent) {
    for (const [name, value] of Object.entries(at.opts<Record<string, unknown>>())) {
      if (commonNames.has(name)) common[name] ??= value
      else if (at !== command) refuseRunOption(at, name, command)
    }
  }
  const [word] = command.args
  if (spec === runSpec && word !== undefined) throw unknownCommand(spec, word)
  const options = Object.fromEntries(Object.entries(own).filter(([name]) => !commonNames.has(name)))
  return { spec, path: pathOf(command), args: command.args, options, common }
}

/** `p2pd --name x status`: the flag would have no effect. */
function refuseRunOption(owner: Command, name: string, command: Command): never {
  const option = owner.options.find((candidate) => candidate.attributeName() === name)
  throw new P2pdError('ERR_USAGE', `option '${option?.long ?? name}' is not one of '${pathOf(command)}'`, {
    hint: `'${pathOf(owner)} --help' and '${pathOf(command)} --help' list what each takes`,
  })
}

function toArgument({ name, summary, choices }: ArgumentSpec): Argument {
  const argument = new Argument(name, summary)
  return choices ? argument.choices([...choices]) : argument
}

function toOption({ flags, summary, parse, choices, repeatable }: OptionSpec): Option {
  const option = new Option(flags, repeatable ? `${summary} (may be given again)` : summary)
  if (choices) option.choices([...choices])
  const read = (text: string): unknown => (parse === undefined ? text : naming(flags, () => parse(text)))
  if (repeatable) {
    option.argParser((text: string, before: readonly unknown[] | undefined) => [
      ...(before ?? []),
      read(text),
    ])
  } else if (parse) option.argParser(read)
  return option
}

function naming<T>(flags: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof P2pdError)) throw error
    throw new P2pdError(error.code, `option '${flags}': ${error.message}`, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    })
  }
}

function exampleHelp({ examples }: CommandSpec): string {
  const widest = Math.max(...examples.map(([line]) => line.length))
  const lines = examples.map(([line, meaning]) => `  $ ${line.padEnd(widest)}  # ${meaning}`)
  return `Examples:\n${lines.join('\n')}\n`
}

const exitCodeHelp = `
Exit codes: 0 ok, 1 failed, 2 usage, 3 daemon not reachable, 4 timed out, 5 no quorum, 6 denied,
7 lock lost, 130 Ctrl-C. Every failure is one line on stderr with a code ERR_… and a hint.`

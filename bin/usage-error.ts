/** What the parser finds wrong with a command line, in our words: always with a hint. */
import type { Command, CommanderError } from 'commander'
import { P2pdError } from '../lib/wire/errors.ts'
import { type CommandSpec, commandTable, runSpec } from './command-table.ts'
import { suggest } from './suggest.ts'

/** `error` was thrown by `command`, which was made from `spec`. */
export function usageError(error: CommanderError, spec: CommandSpec, command: Command): P2pdError {
  const path = pathOf(command)
  const [first] = command.args
  switch (error.code) {
    case 'commander.help':
      // `p2pd help nonsense` ends here as well.
      if (spec === runSpec) return unknownCommand(spec, command.args[1] ?? '')
      return new P2pdError('ERR_USAGE', `'${path}' needs a command after it`, {
        hint: `one of ${namesBelow(spec).join(', ')}`,
      })
    case 'commander.unknownCommand':
    case 'commander.excessArguments':
    case 'commander.unknownOption':
      // Only what mistyped it makes the rest of the line wrong.
      if (namesBelow(spec).length > 0 && first !== undefined && !first.startsWith('-')) {
        return unknownCommand(spec, first)
      }
  }
  const [what = '', suggestion] = error.message.replace(/^error: /, '').split('\n')
  const meant = suggestion?.replace(/^\(Did you mean (.*)\?\)$/, 'did you mean $1?')
  return new P2pdError('ERR_USAGE', what.replace(/\.$/, ''), {
    hint: meant ?? adviceFor(error, spec) ?? `'${path} --help' says what is taken`,
  })
}

/** `word` stands where a command of p2pd should; a plugin may know it. */
export class UnknownCommand extends P2pdError {
  readonly word: string

  constructor(word: string) {
    const meant = suggest(word, namesBelow(runSpec))
    super('ERR_USAGE', `unknown command '${word}'`, {
      hint:
        meant === undefined
          ? "'p2pd --help' lists the commands; those of plugins need a daemon that runs them"
          : `did you mean ${meant}?`,
    })
    this.word = word
  }
}

/** `word` stands where a command of `spec` should. */
export function unknownCommand(spec: CommandSpec, word: string): P2pdError {
  if (spec === runSpec) return new UnknownCommand(word)
  const meant = suggest(word, namesBelow(spec))
  return new P2pdError('ERR_USAGE', `unknown command '${word}'`, {
    hint: meant === undefined ? `'p2pd ${spec.name} --help' lists the commands` : `did you mean ${meant}?`,
  })
}

export function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()
}

function namesBelow(spec: CommandSpec): readonly string[] {
  const below = spec === runSpec ? commandTable : (spec.subcommands ?? [])
  return below.map(({ name }) => name)
}

function adviceFor({ code }: CommanderError, spec: CommandSpec): string | undefined {
  const text = spec.arguments?.find(({ isText }) => isText)
  return code === 'commander.excessArguments' && text ? 'put the text in quotes' : undefined
}

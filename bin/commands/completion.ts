import { scenarioNames } from '../../testnet/cluster/scenario-files.ts'
import { type CommandSpec, commandTable, commonOptions, runSpec, versionOption } from '../command-table.ts'
import { renderBash, renderFish, renderZsh, type Word } from '../completion.ts'
import { type Context, printJson } from '../context.ts'

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const script = renderScript(args[0] ?? '')
  if (context.json) printJson(context.stdout, { shell: args[0], script })
  else context.stdout.write(script)
}

/** `shell` is bash, zsh or fish. */
export function renderScript(shell: string): string {
  const words = allWords()
  switch (shell) {
    case 'bash':
      return renderBash(words)
    case 'zsh':
      return renderZsh(words)
    default:
      return renderFish(words)
  }
}

/** Everything that may be typed, by the verb after which it may be. */
function allWords(): readonly Word[] {
  const root: CommandSpec = {
    ...runSpec,
    options: [...(runSpec.options ?? []), versionOption],
    subcommands: commandTable,
  }
  return wordsOf(root, [])
}

function wordsOf(spec: CommandSpec, path: readonly string[]): readonly Word[] {
  const options = [
    ...(spec.options ?? []),
    ...commonOptions,
    { flags: '-h, --help', summary: 'show the help' },
  ]
  const subcommands = spec.subcommands ?? []
  return [
    ...subcommands.map(({ name, summary }): Word => ({ path, text: name, summary, kind: 'word' })),
    ...(spec.arguments ?? []).flatMap(({ choices = [], summary }) =>
      choices.map((text): Word => ({ path, text, summary, kind: 'word' })),
    ),
    ...(spec.arguments ?? []).flatMap(({ completes, summary }) =>
      completes === undefined ? [] : [{ path, text: '', summary, kind: completes } satisfies Word],
    ),
    ...options.map(({ flags, summary, choices, completes }): Word => {
      const text = flags.split(/[ ,]+/).find((part) => part.startsWith('--')) ?? flags
      const named =
        completes === 'scenarios' ? { wordsOrFiles: ['list', ...scenarioNames()] } : (completes ?? 'text')
      const value = flags.includes('<') ? (choices ?? named) : undefined
      return { path, text, summary, kind: 'option', ...(value === undefined ? {} : { value }) }
    }),
    ...subcommands.flatMap((sub) => wordsOf(sub, [...path, sub.name])),
  ]
}

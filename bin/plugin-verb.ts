/**
 * Verbs that plugins of the daemon bring along: asked for where a command is
 * unknown, and never before, so that no other command waits for the daemon.
 */
import { ControlClient } from '../daemon/client/client.ts'
import { pathOf } from '../daemon/control/routes.ts'
import type { PluginRow } from '../daemon/control/schemas.ts'
import { P2pdError } from '../lib/wire/errors.ts'
import type { CommandSpec } from './command-table.ts'
import { type CommandModule, type Context, printJson, printLine } from './context.ts'
import { printable } from './style.ts'

export interface PluginCommand {
  readonly spec: CommandSpec
  readonly module: CommandModule
}

type Verb = PluginRow['verbs'][number]

/** Who only mistyped a command does not wait for a daemon that hangs. */
const askMs = 2000
const answerMs = 60_000

/** Undefined when no daemon answers there, or none of its plugins has the verb. */
export async function findPluginCommand(name: string, dataDir: string): Promise<PluginCommand | undefined> {
  const answer = await ControlClient.open(dataDir).plugins({ timeoutMs: askMs }).catch(nothing)
  const verb = answer?.plugins.flatMap(({ verbs }) => verbs).find((each) => each.name === name)
  return verb === undefined ? undefined : { spec: specOf(verb), module: moduleOf(verb) }
}

/** That no daemon answers is not what is wrong with the command line. */
function nothing(error: unknown): undefined {
  if (!(error instanceof P2pdError)) throw error
}

function specOf({ name, summary, examples, arguments: taken }: Verb): CommandSpec {
  return {
    name,
    summary: printable(summary),
    examples: examples.map(({ line, meaning }) => [printable(line), printable(meaning)] as const),
    arguments: taken.map((argument) => ({
      name: argument.optional ? `[${argument.name}]` : `<${argument.name}>`,
      summary: printable(argument.summary),
    })),
  }
}

function moduleOf(verb: Verb): CommandModule {
  return {
    run: async (context, args) => {
      const client = ControlClient.open(context.dataDir)
      const call = requestOf(verb, args)
      const { signal } = context
      if (!verb.streams) print(context, await client.ask<object>(call, { timeoutMs: answerMs, signal }))
      else
        for await (const { event, data } of client.listen(call, { signal })) printEvent(context, event, data)
      return undefined
    },
  }
}

/** Each argument fills the segment of the path, else the key of query or body, that has its name. */
export function requestOf({ method, path, arguments: taken }: Verb, args: readonly string[]) {
  const given = Object.fromEntries(
    taken.flatMap(({ name }, at) => {
      const value = args[at]
      return value === undefined ? [] : [[name, value] as const]
    }),
  )
  const segments = new Set(path.split('/'))
  const rest = Object.fromEntries(Object.entries(given).filter(([name]) => !segments.has(`:${name}`)))
  const whole = pathOf({ path }, given)
  return method === 'GET' ? { method, path: whole, query: rest } : { method, path: whole, body: rest }
}

function print({ json, stdout }: Context, answer: object): void {
  if (json) printJson(stdout, answer)
  else for (const line of renderAnswer(answer)) printLine(stdout, line)
}

function printEvent({ json, stdout }: Context, event: string, text: string): void {
  const data: unknown = JSON.parse(text)
  if (json) return printJson(stdout, { event, data })
  const told = typeof data === 'object' && data !== null ? renderAnswer(data).join(', ') : inWords(data)
  printLine(stdout, `${event}  ${told}`.trimEnd())
}

/** `key: value`, a line each. */
export function renderAnswer(answer: object): string[] {
  return Object.entries(answer).map(([key, value]) => `${printable(key)}: ${inWords(value)}`)
}

function inWords(value: unknown): string {
  if (value === null || value === undefined) return '-'
  if (Array.isArray(value) && !value.some((item) => typeof item === 'object')) {
    return value.length === 0 ? 'none' : value.map(inWords).join(', ')
  }
  return printable(typeof value === 'object' ? JSON.stringify(value) : String(value))
}

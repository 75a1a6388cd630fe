import { ControlClient } from '../../daemon/client/client.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { printable, visible } from '../style.ts'

interface Options {
  readonly set?: readonly (readonly [key: string, value: string])[]
  readonly delete?: readonly string[]
}

export async function run(
  context: Context,
  _args: readonly string[],
  { set = [], delete: deleted = [] }: Options,
): Promise<undefined> {
  const changes = set.length > 0 || deleted.length > 0
  refuseContradictions(
    set.map(([key]) => key),
    deleted,
  )
  const client = ControlClient.open(context.dataDir)
  const options = { signal: context.signal }
  const answer = changes
    ? await client.changeTags({ set: Object.fromEntries(set), delete: [...deleted] }, options)
    : await client.tags(options)
  if (context.json) return void printJson(context.stdout, answer)
  for (const [key, value] of Object.entries(answer.tags).sort()) {
    printLine(context.stdout, `${printable(key)}=${visible(value)}`)
  }
  if (changes && !answer.kept) {
    printLine(
      context.stderr,
      'p2pd: the daemon was told its tags by flags, P2PD_TAGS or its config file: at the next start those win again',
    )
  }
}

function refuseContradictions(set: readonly string[], deleted: readonly string[]): void {
  const twice = set.find((key, at) => set.indexOf(key) !== at || deleted.includes(key))
  if (twice === undefined) return
  throw new P2pdError('ERR_USAGE', `'${twice}' is given twice`, { hint: 'set a tag, or delete it, once' })
}

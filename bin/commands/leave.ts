import { ControlClient } from '../../daemon/client/client.ts'
import { type Context, printJson, printLine } from '../context.ts'

interface Options {
  readonly force?: boolean
}

export async function run(
  context: Context,
  _args: readonly string[],
  { force = false }: Options,
): Promise<undefined> {
  const answer = await ControlClient.open(context.dataDir).leave({ force, signal: context.signal })
  if (context.json) return void printJson(context.stdout, answer)
  printLine(context.stdout, 'left: this peer is no member any more, and its daemon ends')
  printLine(context.stderr, "Its identity stays: 'p2pd' starts it again and joins anew.")
}

import { ControlClient } from '../../daemon/client/client.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { printable } from '../style.ts'

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const [group = ''] = args
  const answer = await ControlClient.open(context.dataDir).leaveGroup(group, { signal: context.signal })
  if (context.json) printJson(context.stdout, answer)
  else printLine(context.stderr, `left ${printable(answer.group)}`)
}

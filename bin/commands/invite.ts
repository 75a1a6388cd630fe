import { ControlClient } from '../../daemon/client/client.ts'
import { type Context, printJson, printLine } from '../context.ts'

interface Options {
  readonly announce?: readonly string[]
}

export async function run(context: Context, _args: readonly string[], options: Options): Promise<undefined> {
  const client = ControlClient.open(context.dataDir)
  const { signal } = context
  const answer = options.announce
    ? await client.inviteAt({ addresses: [...options.announce] }, { signal })
    : await client.invite({ signal })
  if (context.json) printJson(context.stdout, answer)
  else printLine(context.stdout, answer.invite)
  if (context.stdout.isTTY) {
    printLine(
      context.stderr,
      'This line holds the cluster secret: whoever has it may come in. Use it with: p2pd --invite FILE',
    )
  }
}

import { ControlClient } from '../../daemon/client/client.ts'
import { type Context, printJson, printLine } from '../context.ts'

interface Options {
  readonly timeout?: number
}

export async function run(context: Context, args: readonly string[], options: Options): Promise<undefined> {
  const client = ControlClient.open(context.dataDir)
  const timeout = options.timeout === undefined ? {} : { timeoutMs: options.timeout }
  const answer = await client.join({ addresses: [...args], ...timeout }, { signal: context.signal })
  if (context.json) printJson(context.stdout, answer)
  else for (const peerId of answer.contacted) printLine(context.stdout, `joined through ${peerId}`)
}

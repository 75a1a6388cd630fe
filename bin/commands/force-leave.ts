import { ControlClient } from '../../daemon/client/client.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { describePeer } from '../peer-id.ts'
import { printable } from '../style.ts'

interface Options {
  readonly timeout?: number
}

export async function run(
  context: Context,
  [peer = '']: readonly string[],
  { timeout }: Options,
): Promise<undefined> {
  const request = { peer, ...(timeout === undefined ? {} : { timeoutMs: timeout }) }
  const answer = await ControlClient.open(context.dataDir).forceLeave(request, { signal: context.signal })
  if (context.json) return void printJson(context.stdout, answer)
  printLine(context.stdout, printable(`${describePeer(answer)} counts as left`))
  printLine(
    context.stderr,
    "If it comes back all the same it is a member again: 'p2pd peers deny' keeps it out.",
  )
}

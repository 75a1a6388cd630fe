import { LockClient } from '../../daemon/client/lock-client.ts'
import { type Context, printLine } from '../context.ts'
import { printVoters } from './voters.ts'

export async function run(context: Context): Promise<undefined> {
  const answer = await LockClient.open(context.dataDir).recoverVoter({ signal: context.signal })
  if (!context.json) printLine(context.stderr, `p2pd: ${answer.givenUp}`)
  await printVoters(context, answer)
}

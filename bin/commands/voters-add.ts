import { LockClient } from '../../daemon/client/lock-client.ts'
import type { Context } from '../context.ts'
import { patiently } from '../patience.ts'
import { printVoters } from './voters.ts'

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const client = LockClient.open(context.dataDir)
  const answer = client.addVoter(args[0] ?? '', { signal: context.signal })
  await printVoters(context, await patiently(context, answer))
}

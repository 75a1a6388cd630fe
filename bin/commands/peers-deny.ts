import { ControlClient } from '../../daemon/client/client.ts'
import type { Context } from '../context.ts'
import { printPeers } from './peers-list.ts'

/** Does not ask: whom it cuts off stands on the command line. */
export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const client = ControlClient.open(context.dataDir)
  printPeers(context, await client.denyPeers({ peers: [...args] }, { signal: context.signal }))
}

import { ControlClient } from '../../daemon/client/client.ts'
import { changeAdmission, type Options } from '../admission.ts'
import type { Context } from '../context.ts'
import { printPeers } from './peers-list.ts'

export async function run(context: Context, args: readonly string[], options: Options): Promise<undefined> {
  const client = ControlClient.open(context.dataDir)
  const answer = await changeAdmission(context, options, (confirm) =>
    client.denyPeers({ peers: [...args], confirm }, { signal: context.signal }),
  )
  printPeers(context, answer)
}

import { ControlClient } from '../../daemon/client/client.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { type Context, printJson, printLine } from '../context.ts'

interface Options {
  readonly announce?: readonly string[]
  readonly new?: boolean
  readonly cluster?: string
}

export async function run(context: Context, _args: readonly string[], options: Options): Promise<undefined> {
  const answer = await inviteOf(context, options)
  if (context.json) printJson(context.stdout, answer)
  else printLine(context.stdout, answer.invite)
  if (context.stdout.isTTY) {
    printLine(
      context.stderr,
      'This line holds the cluster secret: whoever has it may come in. Use it with: p2pd --invite FILE',
    )
  }
}

async function inviteOf(
  { dataDir, signal }: Context,
  { announce, new: isNew = false, cluster }: Options,
): Promise<{ readonly invite: string }> {
  if (isNew) {
    // It knows addresses, which a client command has no need to load.
    const { newInvite } = await import('../../daemon/new-invite.ts')
    return newInvite(cluster, announce)
  }
  if (cluster !== undefined) {
    throw new P2pdError('ERR_USAGE', "option '--cluster' names a cluster that is yet to be founded", {
      hint: 'give --new with it, or leave it out: the daemon knows its cluster',
    })
  }
  const client = ControlClient.open(dataDir)
  return announce
    ? await client.inviteAt({ addresses: [...announce] }, { signal })
    : await client.invite({ signal })
}

/** The first list of admitted peers may cut members off, and therefore asks. */
import { createInterface } from 'node:readline'
import { ControlClient } from '../../daemon/client/client.ts'
import { ControlError } from '../../daemon/client/errors.ts'
import type { PeerChoice } from '../../daemon/control/schemas.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { type Context, printLine } from '../context.ts'
import { describePeers } from '../peer-id.ts'
import { printable } from '../style.ts'
import { printPeers } from './peers-list.ts'

interface Options {
  readonly yes?: boolean
}

export async function run(
  context: Context,
  args: readonly string[],
  { yes = false }: Options,
): Promise<undefined> {
  const client = ControlClient.open(context.dataDir)
  const allow = (confirm: boolean) =>
    client.allowPeers({ peers: [...args], confirm }, { signal: context.signal })
  try {
    printPeers(context, await allow(yes))
  } catch (error) {
    // Nothing has changed yet: the daemon names who would be cut off.
    if (!(error instanceof ControlError) || error.code !== 'ERR_WOULD_CUT_OFF') throw error
    await confirm(context, error.peers)
    printPeers(context, await allow(true))
  }
}

/** Throws ERR_CONFIRM unless a person agrees. */
async function confirm(context: Context, peers: readonly PeerChoice[]): Promise<void> {
  const cutOff = describePeers(peers)
  if (!mayAsk(context)) {
    throw new P2pdError('ERR_CONFIRM', `this would cut off ${cutOff.join(', ')}; nothing was changed`, {
      hint: 'give --yes to do it all the same',
    })
  }
  printLine(context.stderr, 'This would cut off:')
  for (const peer of cutOff) printLine(context.stderr, printable(`  ${peer}`))
  if (await agrees(context)) return
  throw new P2pdError('ERR_CONFIRM', 'not confirmed; nothing was changed', {
    hint: "answer 'y', or give --yes",
  })
}

function mayAsk({ stdin, stderr, json }: Context): boolean {
  return stdin.isTTY === true && stderr.isTTY === true && !json
}

/** No without an answer: end of input, or Ctrl-C (which the signal tells). */
async function agrees({ stdin, stderr, signal }: Context): Promise<boolean> {
  stderr.write('Go on? [y/N] ')
  // Not as a terminal: its raw mode would swallow Ctrl-C.
  const lines = createInterface({ input: stdin, terminal: false })
  const stop = (): void => lines.close()
  signal.addEventListener('abort', stop, { once: true })
  try {
    for await (const line of lines) return /^y(es)?$/i.test(line.trim())
    printLine(stderr, '')
    return false
  } finally {
    signal.removeEventListener('abort', stop)
    lines.close()
  }
}

/** A change of who may come in, which may cut members off and therefore asks. */
import { createInterface } from 'node:readline'
import { ControlError } from '../daemon/client/errors.ts'
import type { PeersAnswer } from '../daemon/control/schemas.ts'
import { P2pdError } from '../lib/wire/errors.ts'
import { type Context, printLine } from './context.ts'
import { describePeer } from './peer-id.ts'
import { printable } from './style.ts'

export interface Options {
  readonly yes?: boolean
}

/** `change(false)` is refused by the daemon, with names, where it would cut a member off. */
export async function changeAdmission(
  context: Context,
  { yes = false }: Options,
  change: (confirm: boolean) => Promise<PeersAnswer>,
): Promise<PeersAnswer> {
  try {
    return await change(yes)
  } catch (error) {
    if (!(error instanceof ControlError) || error.code !== 'ERR_WOULD_CUT_OFF') throw error
    const cutOff = error.peers.map(describePeer)
    if (!mayAsk(context)) {
      throw new P2pdError('ERR_CONFIRM', `this would cut off ${cutOff.join(', ')}; nothing was changed`, {
        hint: 'give --yes to do it all the same',
      })
    }
    printLine(context.stderr, 'This would cut off:')
    for (const peer of cutOff) printLine(context.stderr, printable(`  ${peer}`))
    if (await agrees(context)) return await change(true)
    throw new P2pdError('ERR_CONFIRM', 'not confirmed; nothing was changed', {
      hint: "answer 'y', or give --yes",
    })
  }
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

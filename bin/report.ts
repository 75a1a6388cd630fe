/** A failure as one line with code and hint, or as JSON; never a stack trace. */
import { ControlError } from '../daemon/client/errors.ts'
import { exitCodeOf } from '../daemon/exit-code.ts'
import { P2pdError } from '../lib/wire/errors.ts'
import { type Output, printJson, printLine } from './context.ts'
import { describePeers } from './peer-id.ts'
import { printable } from './style.ts'

/** Writes `error` to stderr and returns the exit code that it asks for. */
export function reportError(error: unknown, json: boolean, stderr: Output): number {
  const { code, message, hint } = asP2pdError(error)
  const peers = error instanceof ControlError ? error.peers : []
  if (json) {
    printJson(stderr, {
      error: { code, message, hint: hint ?? null, ...(peers.length > 0 ? { peers } : {}) },
    })
  } else {
    const candidates = peers.length > 0 ? `: ${describePeers(peers).join(', ')}` : ''
    printLine(stderr, printable(`p2pd: ${code}: ${message}${candidates}${hint ? `; hint: ${hint}` : ''}`))
  }
  return exitCodeOf(code)
}

function asP2pdError(error: unknown): P2pdError {
  if (error instanceof P2pdError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new P2pdError('ERR_INTERNAL', message.split('\n', 1)[0] ?? '', {
    hint: 'this is a defect of p2pd: please report it with the command that led here',
  })
}

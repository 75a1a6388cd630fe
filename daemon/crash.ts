/** A defect of p2pd itself: one line, and the end, instead of a process in an unknown state. */
import { P2pdError } from '../lib/wire/errors.ts'
import { exitCodes } from './exit-code.ts'
import type { LineSink } from './log.ts'

export interface CrashIo {
  readonly stderr: LineSink
  readonly exit: (code: number) => void
}

/** Returns what takes it back. */
export function onCrash({ stderr, exit }: CrashIo, json: boolean): () => void {
  const crash = (error: unknown) => {
    stderr.write(crashLine(error, json))
    exit(exitCodes.failed)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  return () => {
    process.off('uncaughtException', crash)
    process.off('unhandledRejection', crash)
  }
}

export function crashLine(error: unknown, json: boolean): string {
  const message = error instanceof Error ? error.message : String(error)
  const place = error instanceof Error ? /\n\s+at ([^\n]+)/.exec(error.stack ?? '')?.[1] : undefined
  const text = `${message.split('\n', 1)[0] ?? ''}${place === undefined ? '' : ` (${place})`}`
  const hint = 'this is a defect of p2pd: please report it with this line'
  const known = error instanceof P2pdError ? error.code : 'ERR_INTERNAL'
  if (json) return `${JSON.stringify({ error: { code: known, message: text, hint } })}\n`
  return `p2pd: ${known}: ${text}; hint: ${hint}\n`
}

import { P2pdError } from './wire/errors.ts'

/**
 * Positions in a group's log, as apps keep them: which log, and the index of the
 * last message read. A log lives as long as its process, so its name is drawn anew
 * at each start, and a cursor of another life is told from one of this.
 */
export function encodeCursor(log: string, index: number): string {
  return `${log}.${index}`
}

/** Errors: ERR_BAD_CURSOR, ERR_CURSOR_UNKNOWN. */
export function decodeCursor(log: string, cursor: string): number {
  const match = /^([0-9a-f]{24})\.(\d{1,15})$/.exec(cursor)
  if (match === null) {
    throw new P2pdError('ERR_BAD_CURSOR', 'this is no cursor', {
      hint: "take it from a message's cursor, or read from 'latest' or 'earliest'",
    })
  }
  if (match[1] !== log) throw cursorUnknown('it is of another daemon, group or life')
  return Number(match[2])
}

export function cursorUnknown(why: string): P2pdError {
  return new P2pdError('ERR_CURSOR_UNKNOWN', `nothing is known at this cursor: ${why}`, {
    hint: "read from 'earliest' for all that is still there",
  })
}

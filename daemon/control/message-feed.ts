/**
 * A group's stream to whoever reads it.
 *
 * The library reads its log by cursor. A reader that comes back after the log has
 * moved on is told ERR_CURSOR_UNKNOWN, before the stream if that is known by then,
 * else as its last event.
 */
import type { GroupItem } from '../../lib/group.ts'
import type { P2pdError } from '../../lib/wire/errors.ts'
import { ControlFailure } from './failure.ts'
import { toLine } from './message-lines.ts'
import { formatEvent, StreamFeed, type StreamFeedLimits } from './stream-feed.ts'

/** Of all groups together. */
export const messageFeedLimits: StreamFeedLimits = { readers: 64, keepAliveMs: 15_000, lingerMs: 2000 }

export class MessageFeed extends StreamFeed<GroupItem> {
  constructor(explain: (error: unknown) => P2pdError, limits: StreamFeedLimits = messageFeedLimits) {
    super({ limits, format, explain, tooMany })
  }
}

function format(item: GroupItem): string {
  const line = toLine(item)
  if ('event' in line) return formatEvent({ event: line.event, data: line })
  return formatEvent({ event: 'message', data: line, id: line.cursor })
}

function tooMany(readers: number): ControlFailure {
  return new ControlFailure('ERR_TOO_MANY_STREAMS', `${readers} clients are reading groups already`, {
    hint: 'close one of them',
  })
}

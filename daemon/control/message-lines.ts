/** What a group's stream tells, as its public lines. */
import type { Fork, GroupItem, GroupMessage, GroupNotice } from '../../lib/group.ts'
import { encodePayload } from './payload.ts'
import type { MessageLine, NoticeLine, StatusAnswer } from './schemas.ts'

export function toLine(item: GroupItem): MessageLine | NoticeLine {
  return item.type === 'message' ? toMessageLine(item) : toNoticeLine(item)
}

function toMessageLine(message: GroupMessage): MessageLine {
  const { group, sender, epoch, seq, lamport, vector, vectorExact, hlc, index, cursor, data } = message
  return {
    group,
    sender,
    epoch,
    seq,
    lamport,
    ...(vector === undefined ? {} : { vector: { ...vector } }),
    ...(vectorExact === false ? { vectorExact } : {}),
    hlc,
    index,
    cursor,
    ...encodePayload(data),
  }
}

function toNoticeLine(notice: GroupNotice): NoticeLine {
  const { group } = notice
  switch (notice.type) {
    case 'gap':
    case 'history-truncated':
      return { event: notice.type, group, ranges: notice.ranges.map((range) => ({ ...range })) }
    case 'undeliverable': {
      const { sender, epoch, seq } = notice
      return { event: notice.type, group, sender, epoch, seq }
    }
    case 'equivocation':
      return { event: notice.type, ...toForkRow(notice) }
  }
}

export function toForkRow({ group, sender, epoch, seq, hashes }: Fork): StatusAnswer['forks'][number] {
  return { group, sender, epoch, seq, hashes: [hashes[0], hashes[1]] }
}

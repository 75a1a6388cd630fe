/** What the multicast core tells besides deliveries, as an app's stream shows it. */
import type { DotRange, GroupNotice } from './group.ts'
import type { MulticastEvent, PeerRange } from './protocols/multicast/messages.ts'

export type NoticeEvent = Extract<MulticastEvent, { readonly type: GroupNotice['type'] }>

/** What an operator should know of, whether somebody reads the group or not. */
export type Alarm = Extract<GroupNotice, { readonly type: 'equivocation' | 'history-truncated' }>

export function noticeOf(event: NoticeEvent): GroupNotice {
  const { name: group } = event
  switch (event.type) {
    case 'gap':
    case 'history-truncated':
      return { type: event.type, group, ranges: event.ranges.map(rangeOf) }
    case 'undeliverable': {
      const { author: sender, epoch, seq } = event
      return { type: event.type, group, sender, epoch, seq }
    }
    case 'equivocation': {
      const { author: sender, epoch, seq, hashes } = event
      return { type: event.type, group, sender, epoch, seq, hashes }
    }
  }
}

export function isAlarm(notice: GroupNotice): notice is Alarm {
  return notice.type === 'equivocation' || notice.type === 'history-truncated'
}

function rangeOf({ author, epoch, from, to }: PeerRange): DotRange {
  return { sender: author, epoch, from, to }
}

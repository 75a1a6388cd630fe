/** What belongs to no session, to the wire and from it: about the electorate, and questions of people. */
import type { ProtoReader } from '../../../../lib/wire/reader.ts'
import type { ProtoWriter } from '../../../../lib/wire/writer.ts'
import type { Wish } from '../electorate/messages.ts'
import { mutexLimits } from '../limits.ts'
import type { ArbiterLock, PeerItem } from '../messages.ts'
import {
  accepts,
  ballots,
  charters,
  decisions,
  links,
  proposals,
  reports,
  requestIds,
  stamps,
} from './parts.ts'
import { Enumeration, malformed } from './scalars.ts'
import {
  bool,
  count,
  duration,
  id,
  list,
  type Message,
  messageOf,
  name,
  oneOf,
  optional,
  part,
  peer,
  reason,
  signature,
} from './schema.ts'

type Item<Type extends PeerItem['type']> = Extract<PeerItem, { type: Type }>
type Body<Type extends PeerItem['type']> = Omit<Item<Type>, 'type'>

const wishTypes = new Enumeration<Wish['type']>('add', 'remove', 'leave')
const outcomes = new Enumeration<Item<'wish-answer'>['outcome']>('taken', 'done', 'refused')

const arbiterLocks = messageOf<ArbiterLock>('ArbiterLock', {
  lock: name(1),
  request: optional(part(2, requestIds)),
  token: count(3),
  expiresInMs: duration(4),
  waiters: list(peer(5), mutexLimits.waitersShown, 'waiters'),
})

const wishes = messageOf('Wish', { type: oneOf(1, wishTypes), peer: peer(2) })

const version = { version: count(1) }
const round = { version: count(1), ballot: part(2, ballots) }

interface Kind {
  readonly number: number
  write(writer: ProtoWriter, item: PeerItem): void
  read(reader: ProtoReader): PeerItem
}

const kinds: Readonly<Record<PeerItem['type'], Kind>> = {
  inspect: kind('inspect', 1, messageOf('Inspect', { token: count(1), lock: optional(name(2)) })),
  inspected: kind(
    'inspected',
    2,
    messageOf('Inspected', {
      token: count(1),
      locks: list(part(2, arbiterLocks), mutexLimits.locks, 'locks'),
    }),
  ),
  head: kind(
    'head',
    3,
    messageOf('Head', {
      id: optional(id(1)),
      version: count(2),
      serving: count(3),
      granted: bool(4),
      expecting: count(5),
      founder: optional(peer(6)),
    }),
  ),
  want: kind('want', 4, messageOf('Want', { id: id(1), after: count(2) })),
  chain: kind(
    'chain',
    5,
    messageOf('Chain', {
      id: id(1),
      charter: part(2, charters),
      signature: signature(3),
      links: list(part(4, links), mutexLimits.links, 'links'),
    }),
  ),
  wish: kind('wish', 6, messageOf('Wishing', { token: count(1), wish: part(2, wishes) })),
  'wish-answer': kind(
    'wish-answer',
    7,
    messageOf('WishAnswer', { token: count(1), outcome: oneOf(2, outcomes), reason: reason(3) }),
  ),
  'ready?': kind('ready?', 8, messageOf('Ready', { ...version, token: count(2) })),
  ready: kind('ready', 9, messageOf('Ready', { ...version, token: count(2) })),
  prepare: kind('prepare', 10, messageOf('Prepare', { ...round, decision: optional(part(3, decisions)) })),
  promise: kind('promise', 11, messageOf('Promise', { ...round, accepted: optional(part(3, proposals)) })),
  objection: kind('objection', 12, messageOf('Objection', { ...round, reason: reason(3) })),
  preempted: kind('preempted', 13, messageOf('Preempted', { ...round, promised: part(3, ballots) })),
  accept: kind('accept', 14, messageOf('Accept', { ...round, decision: part(3, decisions) })),
  accepted: kind('accepted', 15, messageOf('Accepted', { ...round, accept: part(3, accepts) })),
  fetch: kind('fetch', 16, messageOf('Version', version)),
  report: kind('report', 17, messageOf('Reporting', { ...version, report: part(2, reports) })),
  copy: kind('copy', 18, messageOf('Reporting', { ...version, report: part(2, reports) })),
  installed: kind('installed', 19, messageOf('Version', version)),
  start: kind('start', 20, messageOf('Start', { stamp: part(1, stamps), base: part(2, stamps) })),
  'start-answer': kind(
    'start-answer',
    21,
    messageOf('StartAnswer', { stamp: part(1, stamps), known: part(2, stamps), before: part(3, stamps) }),
  ),
}

function kind<Type extends PeerItem['type']>(type: Type, number: number, message: Message<Body<Type>>): Kind {
  return {
    number,
    // The table above holds each kind under its own type.
    write: (writer, item) => message.write(writer, number, item as Item<Type>),
    read: (reader) => ({ type, ...message.read(reader) }) as Item<Type>,
  }
}

const byNumber = new Map(Object.values(kinds).map((each) => [each.number, each]))

export function writeItem(writer: ProtoWriter, number: number, item: PeerItem): void {
  const mark = writer.open(number)
  kinds[item.type].write(writer, item)
  writer.close(mark)
}

/** Throws `WireError`. */
export function readItem(outer: ProtoReader): PeerItem {
  const reader = outer.message('Item')
  const number = reader.next()
  if (number === 0) throw malformed('an item without a kind')
  const item = (byNumber.get(number) ?? reader.unknown()).read(reader)
  if (reader.next() !== 0) throw malformed('two things in one item')
  return item
}

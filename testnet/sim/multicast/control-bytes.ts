/**
 * What causal order costs on the wire: how many direct dependencies a message
 * carries, and how many bytes of header and signature, at a size that no run of
 * whole cores reaches. Real are the frontier, the rule by which deliveries prune
 * it and the sealed envelope; the network is one hop of 20–40 ms to everybody.
 */
import type { PeerId } from '../../../lib/protocols/core.ts'
import { authorKeyOf, groupIdOf } from '../../../lib/protocols/multicast/dots.ts'
import { sealEnvelope } from '../../../lib/protocols/multicast/envelope.ts'
import { Frontier } from '../../../lib/protocols/multicast/frontier.ts'
import type { DotKey, EntryKey, Envelope } from '../../../lib/protocols/multicast/messages.ts'
import { standardUnits } from '../../../lib/protocols/multicast/units.ts'
import { Keys } from '../keys.ts'
import { Random } from '../random.ts'

const messagesPerSecond = 100
const linkMinMs = 20
const linkMaxMs = 40
const dependencyBytes = 24
/** Before this the frontiers are still those of a cluster in which nobody has spoken, ms. */
const warmUpMs = 1000
const nothing = new Map<EntryKey, number>()

export interface ControlBytes {
  readonly peers: number
  readonly messages: number
  readonly dependenciesMean: number
  readonly dependenciesP99: number
  /** Header and signature without the dependencies, bytes. */
  readonly restMean: number
  readonly restMost: number
}

interface Message {
  readonly envelope: Envelope
  /** Dots of its dependencies and its predecessor. */
  readonly follows: readonly DotKey[]
  readonly predecessor: DotKey | undefined
  readonly at: number
  readonly author: Member
}

interface Arrival {
  readonly at: number
  readonly message: Message
}

interface Member {
  readonly peer: PeerId
  readonly key: DotKey['author']
  readonly frontier: Frontier
  /** Seq by author. */
  readonly delivered: Map<string, number>
  last: Envelope | undefined
  /** Under way, or held back. */
  pending: Arrival[]
  /** How many messages were sent to it. */
  sent: number
}

/** `seconds` of 100 messages a second in all, from `peers` members of one group. */
export function controlBytes(peers: number, seconds: number, seed: number): ControlBytes {
  const random = new Random(seed, 'control-bytes')
  const keys = new Keys(random.stream('keys'))
  const crypto = keys.crypto(keys.identity())
  const epoch = 1_800_000_000_000
  const group = groupIdOf('talk', crypto.sha256)
  const members = Array.from({ length: peers }, () => makeMember(keys.identity(), crypto.sha256))
  const links = random.stream('links')
  const messages: Message[] = []
  const publish = (author: Member, at: number): void => {
    const own: DotKey | undefined =
      author.last === undefined ? undefined : { author: author.key, epoch, seq: author.last.last }
    const dependencies = author.frontier.dots().filter((dot) => dot.author !== author.key)
    const lamports = dependencies.map((dot) => lamportOf.get(`${dot.author}:${dot.seq}`) ?? 0)
    const header = {
      cluster: '0'.repeat(32),
      group,
      author: author.peer,
      epoch,
      seq: (own?.seq ?? 0) + 1,
      previous: author.last?.hash,
      lamport: 1 + Math.max(author.last?.lastLamport ?? 0, ...lamports),
      hybrid: { ms: epoch + Math.floor(at), counter: 0 },
      dependencies,
      old: undefined,
    }
    const envelope = sealEnvelope(header, [payload], keys.crypto(author.peer))
    lamportOf.set(`${author.key}:${envelope.last}`, envelope.lastLamport)
    const follows = own === undefined ? dependencies : [...dependencies, own]
    const message = { envelope, follows, predecessor: own, at, author }
    messages.push(message)
    author.last = envelope
    deliver(author, message)
  }
  const lamportOf = new Map<string, number>()
  const schedule = random.stream('schedule')
  for (let at = 0; at < seconds * 1000; at += schedule.exponential(1000 / messagesPerSecond)) {
    const author = schedule.pick(members)
    catchUp(author, messages, at, links)
    publish(author, at)
  }
  return figuresOf(
    peers,
    messages.filter(({ at }) => at >= warmUpMs),
  )
}

const payload = new Uint8Array(100)

function makeMember(peer: PeerId, sha256: (bytes: Uint8Array) => Uint8Array): Member {
  const key = authorKeyOf(peer, sha256)
  return {
    peer,
    key,
    frontier: new Frontier(),
    delivered: new Map(),
    last: undefined,
    pending: [],
    sent: 0,
  }
}

/** Only who publishes needs to know what has come by then. */
function catchUp(member: Member, messages: readonly Message[], now: number, links: Random): void {
  for (; member.sent < messages.length; member.sent++) {
    const message = messages[member.sent] as Message
    if (message.author === member) continue
    member.pending.push({ at: message.at + links.between(linkMinMs, linkMaxMs), message })
  }
  const here = member.pending.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at)
  const later = member.pending.filter(({ at }) => at > now)
  member.pending = [...holdBack(member, here), ...later]
}

/** Delivers what can be delivered, in the order of arrival; returns the rest. */
function holdBack(member: Member, arrivals: readonly Arrival[]): Arrival[] {
  let held = [...arrivals]
  for (let before = Number.POSITIVE_INFINITY; held.length < before; ) {
    before = held.length
    held = held.filter(({ message }) => {
      const ready = message.follows.every(({ author, seq }) => (member.delivered.get(author) ?? 0) >= seq)
      if (ready) deliver(member, message)
      return !ready
    })
  }
  return held
}

function deliver(member: Member, { envelope, predecessor }: Message): void {
  const { authorKey, header, last, entry } = envelope
  member.delivered.set(authorKey, last)
  const superseded = standardUnits.supersedes(header, predecessor)
  const dot = { author: authorKey, epoch: header.epoch, seq: last }
  member.frontier.deliver(entry, last - 1, superseded, { dot, below: nothing, exact: true })
}

function figuresOf(peers: number, messages: readonly Message[]): ControlBytes {
  const counts = messages.map(({ envelope }) => envelope.header.dependencies.length).sort((a, b) => a - b)
  const rests = messages.map(
    ({ envelope: { bytes, signature, header } }) =>
      bytes.length + signature.length - dependencyBytes * header.dependencies.length,
  )
  const mean = (list: readonly number[]): number =>
    list.reduce((sum, value) => sum + value, 0) / Math.max(1, list.length)
  return {
    peers,
    messages: messages.length,
    dependenciesMean: mean(counts),
    dependenciesP99: counts[Math.floor(0.99 * (counts.length - 1))] ?? 0,
    restMean: mean(rests),
    restMost: Math.max(0, ...rests),
  }
}

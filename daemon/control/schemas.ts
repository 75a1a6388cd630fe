/**
 * Every request and every answer of the control API, once: these schemas
 * validate requests, type the handlers and the client, and become the OpenAPI
 * document. A client imports the types alone, so that it never loads zod.
 */
import { z } from 'zod'
import { maxTagKeyLength, maxTags, maxTagValueLength } from '../../lib/wire/limits.ts'
import { isTagKey, isTagValue, splitTag } from '../../lib/wire/tag.ts'
import { maxPayloadBytes } from '../payload-limit.ts'

/** Limits of what a request may carry; checked before anything is done with it. */
export const limits = {
  bodyBytes: 64 * 1024,
  addresses: 16,
  addressChars: 512,
  peerRefChars: 128,
  peers: 256,
  /** Longest `KEY=VALUE`. */
  tagChars: maxTagKeyLength + 1 + maxTagValueLength,
  pingTimeoutMs: 60_000,
  /** Longest of a payload: base64 takes 4 characters for 3 bytes. */
  payloadChars: 4 * Math.ceil(maxPayloadBytes / 3),
  /** Of a request to publish: the payload, and JSON around it. */
  publishBodyBytes: 4 * Math.ceil(maxPayloadBytes / 3) + 4096,
  cursorChars: 256,
} as const

const peerId = z.string().meta({ description: "libp2p's textual peer id" })
const address = z.string().min(1).max(limits.addressChars).meta({ description: 'A multiaddr' })
const addressList = z.array(address).min(1).max(limits.addresses)

/** A whole peer id, a unique prefix of one, or a unique name. */
const peerRef = z
  .string()
  .min(1)
  .max(limits.peerRefChars)
  .meta({ description: 'A peer: id, unique prefix of an id, or unique name' })

const count = z.int().min(0)

/** Names a message in all the cluster. */
const dot = {
  sender: peerId,
  epoch: count.meta({ description: "The sender's life" }),
  seq: count.meta({ description: '1, 2, 3 … without holes within an epoch' }),
}
const lamport = count.meta({ description: 'Logical time' })
const vector = z
  .record(z.string(), count)
  .meta({ description: '`peerId#epoch` to how many of its messages happened before' })
const hybrid = z
  .string()
  .meta({ description: 'Hybrid time: Unix milliseconds, a dot, a counter of 5 digits' })
const hashes = z.tuple([z.string(), z.string()]).meta({ description: 'Of the two headers, hexadecimal' })
const fork = z.strictObject({ group: z.string(), ...dot, hashes })
const encoding = z.enum(['utf8', 'base64'])

const tagTable = z.record(z.string(), z.string()).meta({ description: 'What people say of it' })
const tagKey = z.string().refine(isTagKey, {
  error: `a key has 1 to ${maxTagKeyLength} letters, digits, dots, dashes or underscores`,
})
const tagValue = z.string().refine(isTagValue, {
  error: `a value has at most ${maxTagValueLength} printable ASCII characters`,
})
const tagFilter = z
  .string()
  .max(limits.tagChars)
  .refine((text) => isTagKey(splitTag(text)?.[0] ?? text), { error: 'write it as KEY=VALUE, or KEY' })

export const memberStatus = z.enum(['alive', 'suspect', 'dead', 'left'])

export const memberRow = z
  .strictObject({
    peerId,
    name: z.string(),
    status: memberStatus,
    incarnation: count,
    addresses: z.array(z.string()),
    tags: tagTable,
    rttMs: z.number().nullable().meta({ description: 'Smoothed round trip; null until measured' }),
    since: z.int().meta({ description: 'Wall time of the last change of status, Unix milliseconds' }),
    self: z.boolean(),
    connected: z.boolean(),
    generation: count,
    version: z.string(),
    detail: z.enum(['joining', 'stalled', 'leaving', 'reaped']).nullable().meta({
      description:
        '`joining` is shown as alive, `leaving` as left, `stalled` (its machine accepts connections, its process does not answer) as suspect; `reaped`, in events alone: this row is in the table no more',
    }),
    groups: z.array(z.string()).meta({ description: 'Multicast groups that it is in' }),
    reason: z.enum(['leaving', 'stopping', 'dismissed']).nullable().meta({
      description: 'With `left`: gave up its membership, stopped and may return, or was dismissed while dead',
    }),
    accusers: z.array(peerId).meta({ description: 'Who accuses this incarnation' }),
  })
  .meta({ id: 'MemberRow' })

export const membersQuery = z.strictObject({
  status: memberStatus.optional(),
  tag: z
    .union([tagFilter, z.array(tagFilter).max(maxTags)])
    .optional()
    .meta({ description: '`KEY=VALUE`, or `KEY` for any value; given again, all have to match' }),
})
export const membersAnswer = z.strictObject({ members: z.array(memberRow) }).meta({ id: 'Members' })

/** How the daemon stands to the electorate of the locks: `ElectorateView` in short. */
const quorum = z
  .looseObject({
    version: count,
    voters: z.array(peerId),
    reachable: z.boolean().meta({ description: 'A quorum of the voters answers' }),
    missing: z.array(peerId).meta({ description: 'Voters that do not answer' }),
    id: z.string().nullable().meta({ description: 'Of the electorate; null while there is none' }),
    self: z
      .enum([
        ...['none', 'waiting', 'starting', 'installing', 'abstaining', 'serving', 'sealed', 'void', 'member'],
      ] as const)
      .meta({ description: 'How this daemon stands to it; `serving` is a voter at work, `member` is none' }),
    abstainsForMs: count.meta({ description: 'For so long this voter grants nothing' }),
    void: z
      .enum(['lost', 'rolled-back'])
      .nullable()
      .meta({ description: 'Why this daemon never votes: what happened to its disk' }),
    conflict: z
      .strictObject({ code: z.literal('ERR_ELECTORATE_CONFLICT'), id: z.string(), peerId })
      .nullable()
      .meta({ description: 'Another electorate, and who belongs to it: a lock can be held once in each' }),
    change: z
      .strictObject({ phase: z.enum(['deciding', 'sealing', 'installing']), voters: z.array(peerId) })
      .nullable()
      .meta({ description: 'What is under way' }),
  })
  .meta({ description: 'Version 0 and no voters: there is no electorate yet' })

const nameConflict = z.strictObject({ name: z.string(), peers: z.array(peerId) })

export const statusAnswer = z
  .looseObject({
    peerId,
    name: z.string(),
    cluster: z.string(),
    clusterId: z.string(),
    version: z.string(),
    addresses: z.array(z.string()),
    uptimeMs: count,
    ready: z.boolean(),
    pid: z.int(),
    generation: count,
    rolledBack: z.boolean().meta({ description: 'The disk was restored from a backup' }),
    health: z.strictObject({
      score: count.meta({ description: "Lifeguard's multiplier: 0 well, 8 worst" }),
      isolated: z.boolean().meta({ description: 'Nothing is heard from anybody: look here first' }),
      loopLagMs: z.number().meta({ description: 'How late the protocol timer last fired' }),
      loopLagMaxMs: z.number().meta({ description: 'How late it ever fired' }),
    }),
    tags: tagTable,
    members: z.strictObject({ alive: count, suspect: count, dead: count, left: count }),
    stalled: count.meta({
      description: 'Those of the suspects whose machines answer, but not their processes',
    }),
    nameConflicts: z
      .array(nameConflict)
      .meta({ description: 'Names that several members bear; at most 16, with 16 bearers each' }),
    quorum,
    locks: z
      .strictObject({ held: count, waiting: count })
      .meta({ description: 'Through this daemon: locks that are held, requests that wait' }),
    clock: z.strictObject({ lamport: count, hlc: hybrid }),
    groups: z
      .array(z.strictObject({ name: z.string(), members: count, delivered: count, heldBack: count }))
      .meta({ description: 'Those that this daemon is in' }),
    forks: z.array(fork).meta({ description: 'Proofs that somebody signed two contents for one message' }),
  })
  .meta({ id: 'Status', description: 'Plugins may add keys of their own' })

export const pingRequest = z.strictObject({
  peer: peerRef,
  timeoutMs: z.int().min(1).max(limits.pingTimeoutMs).default(5000),
})
export const pingAnswer = z.strictObject({ peerId, name: z.string(), rttMs: z.number() }).meta({ id: 'Pong' })

/** Tags to set and keys to take away; what is not named stays. */
export const tagsRequest = z
  .strictObject({
    set: z.record(tagKey, tagValue).default({}),
    delete: z.array(tagKey).max(limits.peers).default([]),
  })
  .refine((request) => !request.delete.some((key) => Object.hasOwn(request.set, key)), {
    error: 'a key is both set and deleted',
  })
export const tagsAnswer = z
  .strictObject({
    tags: tagTable,
    kept: z.boolean().meta({
      description: 'False: flags, environment or config file gave tags at the start, and do so at the next',
    }),
  })
  .meta({ id: 'Tags' })

export const forceLeaveRequest = z.strictObject({
  peer: peerRef,
  timeoutMs: z.int().min(1).max(limits.pingTimeoutMs).default(5000),
})
export const forceLeaveAnswer = z
  .strictObject({ peerId, name: z.string(), left: z.literal(true) })
  .meta({ id: 'ForcedToLeave', description: 'The own table shows it as left' })

/** `timeoutMs` is for one answer. */
export const reachabilityRequest = z.strictObject({
  timeoutMs: z.int().min(1).max(limits.pingTimeoutMs).default(5000),
})
export const reachabilityRow = z
  .strictObject({
    peerId,
    name: z.string(),
    status: memberStatus,
    detail: memberRow.shape.detail,
    since: memberRow.shape.since,
    accusers: memberRow.shape.accusers,
    rttMs: z.number().nullable().meta({ description: 'Null: it did not answer' }),
    path: z
      .strictObject({
        address: z.string().meta({ description: "The other end's multiaddr as this daemon sees it" }),
        direction: z.enum(['inbound', 'outbound']),
        dialled: z.boolean().meta({ description: 'Made for this: there was no connection' }),
      })
      .nullable()
      .meta({ description: 'The connection that the round trip took' }),
    why: z.string().nullable().meta({
      description:
        'Without an answer: `silent` (connected, nothing came), `timeout`, `refused`, `unanswered`, `other-identity`, `denied`, `unreachable`, `not-asked` (the time was over), …',
    }),
  })
  .meta({ id: 'ReachabilityRow' })
export const reachabilityAnswer = z
  .strictObject({
    asked: count,
    answered: count,
    gone: count.meta({ description: 'Dead or left, and not asked' }),
    members: z.array(reachabilityRow),
  })
  .meta({ id: 'Reachability' })

/** Without `addresses` the invite names those that the daemon announces. */
export const inviteRequest = z.strictObject({ addresses: addressList.optional() })
export const inviteAnswer = z
  .strictObject({
    invite: z.string().meta({ description: 'One line; holds the cluster secret' }),
    cluster: z.string(),
    peerId,
    addresses: z.array(z.string()),
  })
  .meta({ id: 'Invite' })

export const joinRequest = z.strictObject({
  addresses: addressList,
  timeoutMs: z.int().min(1).max(limits.pingTimeoutMs).default(5000),
})
export const joinAnswer = z
  .strictObject({ contacted: z.array(peerId).meta({ description: 'Who answered; at least one' }) })
  .meta({ id: 'Joined' })

export const leaveRequest = z.strictObject({
  force: z.boolean().default(false).meta({ description: 'Also where locks then stop for the others' }),
})
export const leaveAnswer = z
  .strictObject({ left: z.literal(true) })
  .meta({ id: 'Left', description: 'Sent once the departure is announced; the daemon then ends' })

export const peerEntry = z.strictObject({
  peerId,
  name: z.string().nullable().meta({ description: 'Null while this peer was never a member here' }),
  status: memberStatus.nullable(),
})
export const peersAnswer = z
  .strictObject({
    mode: z.enum(['secret', 'list']).meta({
      description: '`secret`: whoever has the cluster secret may come in; `list`: only who is allowed',
    }),
    allowed: z.array(peerEntry),
    denied: z.array(peerEntry),
  })
  .meta({ id: 'Peers' })

/**
 * `confirm` is asked for when the change would cut off a member: without it the
 * answer is 409 `ERR_WOULD_CUT_OFF` with who, and nothing has changed.
 */
export const admissionRequest = z.strictObject({
  peers: z.array(peerRef).min(1).max(limits.peers),
  confirm: z.boolean().default(false),
})

/** Decoded and checked further in `payload.ts`: what is wrong there has codes of its own. */
export const publishRequest = z.strictObject({
  data: z.string().meta({ description: 'At most 1 MiB once decoded' }),
  encoding: encoding.default('utf8').meta({ description: '`base64` as in RFC 4648 §4, with its padding' }),
})
export const publishAnswer = z
  .strictObject({ group: z.string(), ...dot, lamport, vector })
  .meta({ id: 'Published', description: 'The message is logged here and on its way' })

/** 1 to 64 characters of printable ASCII without space; the library refuses others. */
export const groupParams = z.strictObject({
  group: z
    .string()
    .meta({ description: '1 to 64 characters of printable ASCII without space, percent-encoded' }),
})

export const messagesQuery = z.strictObject({
  from: z
    .string()
    .min(1)
    .max(limits.cursorChars)
    .default('latest')
    .meta({ description: "`latest`, `earliest`, or a message's cursor: what follows it" }),
  order: z
    .enum(['causal', 'fifo', 'total'])
    .default('causal')
    .meta({ description: 'Only `causal` in this version: the others are ERR_ORDER_UNAVAILABLE' }),
  vector: z.enum(['0', '1']).default('1').meta({ description: '0 leaves the vectors out' }),
})

/** `event: message`, whose `id:` is the cursor. */
export const messageLine = z
  .strictObject({
    group: z.string(),
    ...dot,
    lamport,
    vector: vector.optional(),
    vectorExact: z
      .literal(false)
      .optional()
      .meta({ description: 'A part of `vector` lies below what this daemon knows of the group' }),
    hlc: hybrid.nullable().meta({ description: "Null when the sender's clock could not be trusted" }),
    index: count.meta({ description: "Position in this daemon's log; contiguous" }),
    cursor: z.string().meta({ description: 'Resume after this message; valid at this daemon alone' }),
    data: z.string(),
    encoding: encoding.meta({ description: '`utf8` whenever the bytes are valid UTF-8' }),
  })
  .meta({ id: 'MessageLine' })

const dotRange = z.strictObject({ sender: peerId, epoch: count, from: count, to: count })
const dotRanges = z.array(dotRange).meta({ description: 'Both ends included' })

/** What is no delivery, as an event of its own type. */
export const noticeLine = z
  .discriminatedUnion('event', [
    z.strictObject({ event: z.literal('gap'), group: z.string(), ranges: dotRanges }),
    z.strictObject({ event: z.literal('history-truncated'), group: z.string(), ranges: dotRanges }),
    z.strictObject({ event: z.literal('undeliverable'), group: z.string(), ...dot }),
    z.strictObject({ event: z.literal('equivocation'), group: z.string(), ...dot, hashes }),
  ])
  .meta({ id: 'NoticeLine' })

/** `event: error`, the last one of a stream. */
export const streamError = z
  .strictObject({ code: z.string(), message: z.string(), hint: z.string().nullable() })
  .meta({ id: 'StreamError' })

export const leaveGroupRequest = z.strictObject({})
export const leaveGroupAnswer = z
  .strictObject({ group: z.string(), left: z.literal(true) })
  .meta({ id: 'LeftGroup' })

export const groupRow = z
  .strictObject({
    name: z.string(),
    joined: z.boolean().meta({ description: 'This daemon is in it' }),
    ready: z
      .boolean()
      .nullable()
      .meta({ description: 'False while what came before is fetched; null when not joined' }),
    members: z.array(peerId).meta({ description: 'The dead and the departed are left out' }),
    delivered: count.meta({ description: 'Here, since the daemon started' }),
    heldBack: count.meta({ description: 'Messages that wait for others they depend on' }),
    logMessages: count,
    logBytes: count,
  })
  .meta({ id: 'GroupRow' })
export const groupsAnswer = z.strictObject({ groups: z.array(groupRow) }).meta({ id: 'Groups' })

/** Where it is left out, `all`. */
export const groupQuery = z.strictObject({ group: z.string().default('all') })

export const clockAnswer = z
  .strictObject({
    lamport,
    group: z.string().meta({ description: 'Whose vector this is; the other clocks are of all groups' }),
    vector: vector.meta({ description: 'Of all that was delivered here in the group' }),
    hlc: hybrid,
    network: z
      .strictObject({
        state: z.literal('unsynchronised'),
        scope: z.literal('internal'),
        timeline: z.null(),
        faultsTolerated: z.null(),
        earliestMs: z.null(),
        latestMs: z.null(),
        offsetMs: z.null(),
        uncertaintyMs: z.null(),
        peers: z.literal(0),
      })
      .meta({ description: 'There is no network time yet' }),
  })
  .meta({ id: 'Clock' })

/** One line of the trace. */
export const traceLine = z
  .strictObject({
    group: z.string(),
    host: peerId,
    hostEpoch: count.meta({ description: "The host's own life" }),
    index: count.meta({ description: '1, 2, 3 … a host, life and group' }),
    kind: z.enum(['publish', 'deliver']),
    ...dot,
    time: z.int().meta({ description: 'Unix milliseconds, for people' }),
    after: z
      .array(z.string())
      .meta({ description: "The sender's direct dependencies, as `peerId#epoch:seq`" }),
  })
  .meta({ id: 'TraceLine' })

const method = z.enum(['GET', 'POST'])
const routePath = z.string().meta({ description: 'A segment `:name` stands for any one segment' })
const streams = z.boolean().meta({ description: 'Answers with server-sent events' })

/** What a plugin adds to this interface, and to the CLI. */
export const pluginRow = z
  .strictObject({
    name: z.string(),
    verbs: z.array(
      z.strictObject({
        name: z.string(),
        summary: z.string(),
        examples: z.array(z.strictObject({ line: z.string(), meaning: z.string() })),
        arguments: z
          .array(z.strictObject({ name: z.string(), summary: z.string(), optional: z.boolean() }))
          .meta({
            description: 'Each fills the segment of the path, else the key of query or body, of its name',
          }),
        method,
        path: routePath,
        streams,
      }),
    ),
    routes: z.array(z.strictObject({ method, path: routePath, summary: z.string(), streams })),
  })
  .meta({ id: 'Plugin' })
export const pluginsAnswer = z.strictObject({ plugins: z.array(pluginRow) }).meta({ id: 'Plugins' })

export const healthAnswer = z.strictObject({ status: z.literal('ok') }).meta({ id: 'Health' })
export const readyAnswer = z.strictObject({ status: z.literal('ready') }).meta({ id: 'Ready' })

/** A peer named in an error: a candidate of an ambiguous name, or one that would be cut off. */
export const peerChoice = z.strictObject({ peerId, name: z.string(), status: memberStatus.optional() })

export const errorAnswer = z
  .strictObject({
    error: z.strictObject({
      code: z.string().regex(/^ERR_[A-Z0-9_]+$/),
      message: z.string(),
      hint: z.string().nullable(),
      peers: z.array(peerChoice).optional().meta({
        description: 'With ERR_AMBIGUOUS_PEER the candidates, with ERR_WOULD_CUT_OFF who would lose contact',
      }),
    }),
  })
  .meta({ id: 'Error' })

/** `event: isolated` of the stream of members. */
export const isolationEvent = z
  .strictObject({
    isolated: z.boolean().meta({ description: 'Nothing is heard from anybody; false: that is over' }),
    since: z.int().meta({ description: 'Wall time at which that was found, Unix milliseconds' }),
  })
  .meta({ id: 'Isolation' })
/** `event: snapshot` holds MembersAnswer, `event: member` a MemberRow, `event: overrun` this. */
export const overrunEvent = z.strictObject({ code: z.literal('ERR_SLOW_READER'), message: z.string() })

export type MemberStatusName = z.infer<typeof memberStatus>
export type MemberRow = z.infer<typeof memberRow>
export type MembersQuery = z.infer<typeof membersQuery>
export type MembersAnswer = z.infer<typeof membersAnswer>
export type NameConflict = z.infer<typeof nameConflict>
export type TagsRequest = z.input<typeof tagsRequest>
export type TagsAnswer = z.infer<typeof tagsAnswer>
export type ForceLeaveRequest = z.input<typeof forceLeaveRequest>
export type ForceLeaveAnswer = z.infer<typeof forceLeaveAnswer>
export type ReachabilityRequest = z.input<typeof reachabilityRequest>
export type ReachabilityRow = z.infer<typeof reachabilityRow>
export type ReachabilityAnswer = z.infer<typeof reachabilityAnswer>
export type StatusAnswer = z.infer<typeof statusAnswer>
export type PingRequest = z.input<typeof pingRequest>
export type PingAnswer = z.infer<typeof pingAnswer>
export type InviteRequest = z.input<typeof inviteRequest>
export type InviteAnswer = z.infer<typeof inviteAnswer>
export type JoinRequest = z.input<typeof joinRequest>
export type JoinAnswer = z.infer<typeof joinAnswer>
export type LeaveRequest = z.input<typeof leaveRequest>
export type LeaveGroupRequest = z.input<typeof leaveGroupRequest>
export type PluginRow = z.infer<typeof pluginRow>
export type PluginsAnswer = z.infer<typeof pluginsAnswer>
export type LeaveAnswer = z.infer<typeof leaveAnswer>
export type PeerEntry = z.infer<typeof peerEntry>
export type PeersAnswer = z.infer<typeof peersAnswer>
export type AdmissionRequest = z.input<typeof admissionRequest>
export type PublishRequest = z.input<typeof publishRequest>
export type PublishAnswer = z.infer<typeof publishAnswer>
export type GroupParams = z.infer<typeof groupParams>
export type MessagesQuery = z.input<typeof messagesQuery>
export type MessageLine = z.infer<typeof messageLine>
export type NoticeLine = z.infer<typeof noticeLine>
export type StreamError = z.infer<typeof streamError>
export type LeaveGroupAnswer = z.infer<typeof leaveGroupAnswer>
export type GroupRow = z.infer<typeof groupRow>
export type GroupsAnswer = z.infer<typeof groupsAnswer>
export type GroupQuery = z.input<typeof groupQuery>
export type ClockAnswer = z.infer<typeof clockAnswer>
export type HealthAnswer = z.infer<typeof healthAnswer>
export type ReadyAnswer = z.infer<typeof readyAnswer>
export type PeerChoice = z.infer<typeof peerChoice>
export type ErrorAnswer = z.infer<typeof errorAnswer>
export type IsolationEvent = z.infer<typeof isolationEvent>
export type OverrunEvent = z.infer<typeof overrunEvent>

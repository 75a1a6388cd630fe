/**
 * Every request and every answer of the control API, once: these schemas
 * validate requests, type the handlers and the client, and become the OpenAPI
 * document. A client imports the types alone, so that it never loads zod.
 */
import { z } from 'zod'

/** Limits of what a request may carry; checked before anything is done with it. */
export const limits = {
  bodyBytes: 64 * 1024,
  addresses: 16,
  addressChars: 512,
  peerRefChars: 128,
  peers: 256,
  pingTimeoutMs: 60_000,
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

export const memberStatus = z.enum(['alive', 'suspect', 'dead', 'left'])

export const memberRow = z
  .strictObject({
    peerId,
    name: z.string(),
    status: memberStatus,
    incarnation: count,
    addresses: z.array(z.string()),
    tags: z.record(z.string(), z.string()),
    rttMs: z.number().nullable().meta({ description: 'Smoothed round trip; null until measured' }),
    since: z.int().meta({ description: 'Wall time of the last change of status, Unix milliseconds' }),
    self: z.boolean(),
    connected: z.boolean(),
    generation: count,
    version: z.string(),
    detail: z
      .enum(['joining', 'leaving'])
      .nullable()
      .meta({ description: '`joining` is shown as alive, `leaving` as left' }),
    reason: z
      .enum(['leaving', 'stopping'])
      .nullable()
      .meta({ description: 'With `left`: gave up its membership, or stopped and may return' }),
    accusers: z.array(peerId).meta({ description: 'Who accuses this incarnation' }),
  })
  .meta({ id: 'MemberRow' })

export const membersQuery = z.strictObject({ status: memberStatus.optional() })
export const membersAnswer = z.strictObject({ members: z.array(memberRow) }).meta({ id: 'Members' })

export const statusAnswer = z
  .strictObject({
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
      isolated: z.boolean(),
    }),
    members: z.strictObject({ alive: count, suspect: count, dead: count, left: count }),
    quorum: z
      .strictObject({ version: count, voters: z.array(peerId), reachable: z.boolean() })
      .meta({ description: 'Version 0 and no voters: there is no electorate yet' }),
  })
  .meta({ id: 'Status' })

export const pingRequest = z.strictObject({
  peer: peerRef,
  timeoutMs: z.int().min(1).max(limits.pingTimeoutMs).default(5000),
})
export const pingAnswer = z.strictObject({ peerId, name: z.string(), rttMs: z.number() }).meta({ id: 'Pong' })

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

export const leaveRequest = z.strictObject({})
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

export const healthAnswer = z.strictObject({ status: z.literal('ok') }).meta({ id: 'Health' })
export const readyAnswer = z.strictObject({ status: z.literal('ready') }).meta({ id: 'Ready' })

/** A peer named in an error: a candidate of an ambiguous name, or one that would be cut off. */
export const peerChoice = z.strictObject({ peerId, name: z.string() })

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

/** `event: snapshot` holds MembersAnswer, `event: member` a MemberRow, `event: overrun` this. */
export const overrunEvent = z.strictObject({ code: z.literal('ERR_SLOW_READER'), message: z.string() })

export type MemberStatusName = z.infer<typeof memberStatus>
export type MemberRow = z.infer<typeof memberRow>
export type MembersQuery = z.infer<typeof membersQuery>
export type MembersAnswer = z.infer<typeof membersAnswer>
export type StatusAnswer = z.infer<typeof statusAnswer>
export type PingRequest = z.input<typeof pingRequest>
export type PingAnswer = z.infer<typeof pingAnswer>
export type InviteRequest = z.input<typeof inviteRequest>
export type InviteAnswer = z.infer<typeof inviteAnswer>
export type JoinRequest = z.input<typeof joinRequest>
export type JoinAnswer = z.infer<typeof joinAnswer>
export type LeaveRequest = z.input<typeof leaveRequest>
export type LeaveAnswer = z.infer<typeof leaveAnswer>
export type PeerEntry = z.infer<typeof peerEntry>
export type PeersAnswer = z.infer<typeof peersAnswer>
export type AdmissionRequest = z.input<typeof admissionRequest>
export type HealthAnswer = z.infer<typeof healthAnswer>
export type ReadyAnswer = z.infer<typeof readyAnswer>
export type PeerChoice = z.infer<typeof peerChoice>
export type ErrorAnswer = z.infer<typeof errorAnswer>
export type OverrunEvent = z.infer<typeof overrunEvent>

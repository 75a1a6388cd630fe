/** What the routes of the locks take and give. Zod is handed in: an app that embeds the locks never loads it. */
import type { z as Zod } from 'zod'

/** A day; timers of the platform end at 24.8. */
const maxWaitMs = 86_400_000
const maxPid = 2 ** 31 - 1
const peerRefChars = 128

export type LockSchemas = ReturnType<typeof lockSchemas>

export function lockSchemas(z: typeof Zod) {
  const peerId = z.string().meta({ description: "libp2p's textual peer id" })
  const count = z.int().min(0)
  const ms = z.number().min(0)
  const signed = z
    .strictObject({ bytes: z.string(), signature: z.string() })
    .meta({ description: 'Base64; the signature of the voter covers the bytes' })
  const view = z.strictObject({
    id: z.string().nullable().meta({ description: 'Null while this peer belongs to no electorate' }),
    version: count.meta({ description: 'Rises with each change of the voters; 0 without an electorate' }),
    founder: peerId.nullable(),
    voters: z.array(z.strictObject({ peerId, name: z.string(), answering: z.boolean() })),
    reachable: z.boolean().meta({ description: 'A quorum of the voters answers' }),
    self: z
      .enum([
        'none',
        'waiting',
        'starting',
        'installing',
        'abstaining',
        'serving',
        'sealed',
        'void',
        'member',
      ])
      .meta({ description: 'How this peer stands: `serving` votes, `member` does not' }),
    abstainsForMs: ms,
    void: z.enum(['lost', 'rolled-back']).nullable().meta({ description: 'Why this peer does not vote' }),
    conflict: z
      .strictObject({ id: z.string(), peerId, name: z.string() })
      .nullable()
      .meta({ description: 'Another electorate: a lock can be held once in each' }),
    change: z
      .strictObject({ phase: z.enum(['deciding', 'sealing', 'installing']), voters: z.array(peerId) })
      .nullable(),
    maxLeaseMs: ms.nullable(),
    conflictingVotes: z
      .strictObject({
        count,
        proofs: z
          .array(
            z.strictObject({
              voter: peerId,
              name: z.string(),
              lock: z.string(),
              first: signed,
              second: signed,
            }),
          )
          .meta({ description: 'As many as fit into 1 MiB' }),
      })
      .meta({ description: 'Voters that signed what cannot both be true' }),
  })
  return {
    locksQuery: z.strictObject({ name: z.string().optional() }),
    locksAnswer: z
      .strictObject({
        locks: z.array(
          z.strictObject({
            name: z.string(),
            holder: peerId.nullable().meta({ description: 'Null while the voters are of different minds' }),
            token: count,
            expiresInMs: ms,
            waiters: z.array(peerId).meta({ description: 'The next first; at most 64' }),
          }),
        ),
        complete: z.boolean().meta({ description: 'False when no quorum of the voters answered' }),
      })
      .meta({ id: 'Locks' }),
    holdRequest: z.strictObject({
      waitMs: z.int().min(0).max(maxWaitMs).optional().meta({ description: 'For ever without it' }),
      leaseMs: z.int().min(1).max(maxWaitMs).optional(),
      try: z.boolean().default(false).meta({ description: 'Not to wait at all' }),
    }),
    groupRequest: z.strictObject({
      pgid: z.int().min(2).max(maxPid),
      startTime: count
        .nullable()
        .meta({ description: 'Field 22 of `/proc/PID/stat`; null where there is none' }),
    }),
    emptyRequest: z.strictObject({}),
    validity: z
      .strictObject({ validForMs: ms.meta({ description: 'Count it from when the request was sent' }) })
      .meta({ id: 'LockValidity' }),
    released: z.strictObject({ released: z.literal(true) }).meta({ id: 'LockReleased' }),
    voterRequest: z.strictObject({
      peer: z
        .string()
        .min(1)
        .max(peerRefChars)
        .meta({ description: 'A peer: id, unique prefix of an id, or unique name' }),
    }),
    votersAnswer: view.meta({ id: 'Voters' }),
    recoverAnswer: view.extend({ givenUp: z.string() }).meta({ id: 'VoterRecovered' }),
  }
}

type Output<Name extends keyof LockSchemas> = Zod.output<LockSchemas[Name]>

export type LocksAnswer = Output<'locksAnswer'>
export type LockRow = LocksAnswer['locks'][number]
export type HoldBody = Output<'holdRequest'>
export type GroupBody = Output<'groupRequest'>
export type LockValidity = Output<'validity'>
export type LockReleased = Output<'released'>
export type VoterBody = Output<'voterRequest'>
export type VotersAnswer = Output<'votersAnswer'>
export type RecoverAnswer = Output<'recoverAnswer'>

/** `event: held`. */
export interface HeldEvent {
  readonly lock: string
  readonly token: number
  readonly leaseMs: number
  readonly session: string
  readonly validForMs: number
}

/** `event: lost`. */
export interface LostEvent {
  readonly reason: 'lost' | 'silent' | 'stopping' | 'hung-up'
}

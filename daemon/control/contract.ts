/** Each route with the schemas of what it takes and gives. */
import type { z } from 'zod'
import type { Api, RouteName } from './routes.ts'
import * as schemas from './schemas.ts'

export interface Taken {
  readonly params?: z.ZodObject
  readonly query?: z.ZodObject
}

export interface Exchange extends Taken {
  readonly body?: z.ZodType
  readonly answer: z.ZodType
}

export const contract = {
  status: { answer: schemas.statusAnswer },
  members: { query: schemas.membersQuery, answer: schemas.membersAnswer },
  ping: { body: schemas.pingRequest, answer: schemas.pingAnswer },
  reachability: { body: schemas.reachabilityRequest, answer: schemas.reachabilityAnswer },
  forceLeave: { body: schemas.forceLeaveRequest, answer: schemas.forceLeaveAnswer },
  tags: { answer: schemas.tagsAnswer },
  changeTags: { body: schemas.tagsRequest, answer: schemas.tagsAnswer },
  invite: { answer: schemas.inviteAnswer },
  inviteAt: { body: schemas.inviteRequest, answer: schemas.inviteAnswer },
  join: { body: schemas.joinRequest, answer: schemas.joinAnswer },
  leave: { body: schemas.leaveRequest, answer: schemas.leaveAnswer },
  peers: { answer: schemas.peersAnswer },
  allowPeers: { body: schemas.admissionRequest, answer: schemas.peersAnswer },
  denyPeers: { body: schemas.admissionRequest, answer: schemas.peersAnswer },
  groups: { answer: schemas.groupsAnswer },
  publish: { params: schemas.groupParams, body: schemas.publishRequest, answer: schemas.publishAnswer },
  leaveGroup: {
    params: schemas.groupParams,
    body: schemas.leaveGroupRequest,
    answer: schemas.leaveGroupAnswer,
  },
  clock: { query: schemas.groupQuery, answer: schemas.clockAnswer },
  plugins: { answer: schemas.pluginsAnswer },
  health: { answer: schemas.healthAnswer },
  ready: { answer: schemas.readyAnswer },
} as const satisfies Record<keyof Api, Exchange>

/** Routes whose answer is a stream, or no JSON. */
export const streams = {
  memberEvents: {},
  messages: { params: schemas.groupParams, query: schemas.messagesQuery },
  trace: { query: schemas.groupQuery },
  metrics: {},
  openapi: {},
} as const satisfies Record<Exclude<RouteName, keyof Api>, Taken>

type Contract = typeof contract
type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined

/** What a handler gets: checked, defaults filled in. */
export interface Request<Name extends keyof Api> {
  readonly params: Contract[Name] extends { params: infer Params } ? Parsed<Params> : undefined
  readonly query: Contract[Name] extends { query: infer Query } ? Parsed<Query> : undefined
  readonly body: Contract[Name] extends { body: infer Body } ? Parsed<Body> : undefined
  /** Aborts when the client hangs up. */
  readonly signal: AbortSignal
}

export type Handlers = {
  readonly [Name in keyof Api]: (request: Request<Name>) => Api[Name]['answer'] | Promise<Api[Name]['answer']>
}

/**
 * The control API's routes: what a client may ask for, by name. Free of
 * imports at run time, so that the client can use it too; `contract.ts` binds
 * each to its schemas.
 */
import type {
  AdmissionRequest,
  ClockAnswer,
  ForceLeaveAnswer,
  ForceLeaveRequest,
  GroupParams,
  GroupQuery,
  GroupsAnswer,
  HealthAnswer,
  InviteAnswer,
  InviteRequest,
  JoinAnswer,
  JoinRequest,
  LeaveAnswer,
  LeaveGroupAnswer,
  LeaveGroupRequest,
  LeaveRequest,
  MembersAnswer,
  MembersQuery,
  PeersAnswer,
  PingAnswer,
  PingRequest,
  PluginsAnswer,
  PublishAnswer,
  PublishRequest,
  ReachabilityAnswer,
  ReachabilityRequest,
  ReadyAnswer,
  StatusAnswer,
  TagsAnswer,
  TagsRequest,
} from './schemas.ts'

export interface Route {
  readonly method: 'GET' | 'POST'
  /** A segment `:name` stands for any one segment. */
  readonly path: string
  readonly summary: string
}

export const routes = {
  status: { method: 'GET', path: '/v1/status', summary: 'This daemon and what it sees, on one page' },
  members: { method: 'GET', path: '/v1/members', summary: 'The membership table' },
  memberEvents: {
    method: 'GET',
    path: '/v1/members/events',
    summary:
      'Server-sent events: a snapshot of the table, then each changed row, and whether nobody is heard',
  },
  ping: { method: 'POST', path: '/v1/ping', summary: "One round trip over the daemon's own link" },
  reachability: {
    method: 'POST',
    path: '/v1/reachability',
    summary: 'A round trip to every member that is not gone',
  },
  forceLeave: {
    method: 'POST',
    path: '/v1/force-leave',
    summary: 'A dead member counts as left, here and elsewhere, until it says otherwise',
  },
  tags: { method: 'GET', path: '/v1/tags', summary: 'What people say of this peer' },
  changeTags: { method: 'POST', path: '/v1/tags', summary: 'Set and delete tags of this peer' },
  invite: { method: 'GET', path: '/v1/invite', summary: 'An invite that names the announced addresses' },
  inviteAt: { method: 'POST', path: '/v1/invite', summary: 'An invite that names the given addresses' },
  join: { method: 'POST', path: '/v1/join', summary: 'Dial addresses and merge with whoever answers' },
  leave: { method: 'POST', path: '/v1/leave', summary: 'Give up membership, then end the daemon' },
  peers: { method: 'GET', path: '/v1/peers', summary: 'Who may come in' },
  allowPeers: {
    method: 'POST',
    path: '/v1/peers/allow',
    summary: 'Let peers in; the first time the list begins',
  },
  denyPeers: { method: 'POST', path: '/v1/peers/deny', summary: 'Keep peers out and cut their connections' },
  groups: { method: 'GET', path: '/v1/groups', summary: 'Groups that this daemon is in, or sees others in' },
  publish: {
    method: 'POST',
    path: '/v1/groups/:group/messages',
    summary: 'Multicast a message; joins the group',
  },
  messages: {
    method: 'GET',
    path: '/v1/groups/:group/messages',
    summary: 'Server-sent events: deliveries, and what else happens to the stream; joins the group',
  },
  leaveGroup: {
    method: 'POST',
    path: '/v1/groups/:group/leave',
    summary: 'Give up membership of a group; its streams end',
  },
  clock: { method: 'GET', path: '/v1/clock', summary: 'Logical, vector, hybrid and network time' },
  trace: {
    method: 'GET',
    path: '/v1/trace',
    summary: "The last events of this daemon's space-time line in a group, a JSON object a line",
  },
  plugins: {
    method: 'GET',
    path: '/v1/plugins',
    summary: 'What plugins add to this interface and to the CLI',
  },
  health: { method: 'GET', path: '/healthz', summary: 'The process answers' },
  ready: { method: 'GET', path: '/readyz', summary: 'Listening, and joined or alone on purpose' },
  metrics: { method: 'GET', path: '/metrics', summary: 'Prometheus, text format' },
  openapi: { method: 'GET', path: '/v1/openapi.json', summary: 'This interface as OpenAPI 3.1' },
} as const satisfies Record<string, Route>

export type RouteName = keyof typeof routes

/** What a client sends and gets, by route; those whose answer is not one JSON object are not here. */
export interface Api {
  status: { query: undefined; body: undefined; answer: StatusAnswer }
  members: { query: MembersQuery; body: undefined; answer: MembersAnswer }
  ping: { query: undefined; body: PingRequest; answer: PingAnswer }
  reachability: { query: undefined; body: ReachabilityRequest; answer: ReachabilityAnswer }
  forceLeave: { query: undefined; body: ForceLeaveRequest; answer: ForceLeaveAnswer }
  tags: { query: undefined; body: undefined; answer: TagsAnswer }
  changeTags: { query: undefined; body: TagsRequest; answer: TagsAnswer }
  invite: { query: undefined; body: undefined; answer: InviteAnswer }
  inviteAt: { query: undefined; body: InviteRequest; answer: InviteAnswer }
  join: { query: undefined; body: JoinRequest; answer: JoinAnswer }
  leave: { query: undefined; body: LeaveRequest; answer: LeaveAnswer }
  peers: { query: undefined; body: undefined; answer: PeersAnswer }
  allowPeers: { query: undefined; body: AdmissionRequest; answer: PeersAnswer }
  denyPeers: { query: undefined; body: AdmissionRequest; answer: PeersAnswer }
  groups: { query: undefined; body: undefined; answer: GroupsAnswer }
  publish: { params: GroupParams; query: undefined; body: PublishRequest; answer: PublishAnswer }
  leaveGroup: { params: GroupParams; query: undefined; body: LeaveGroupRequest; answer: LeaveGroupAnswer }
  clock: { query: GroupQuery; body: undefined; answer: ClockAnswer }
  plugins: { query: undefined; body: undefined; answer: PluginsAnswer }
  health: { query: undefined; body: undefined; answer: HealthAnswer }
  ready: { query: undefined; body: undefined; answer: ReadyAnswer }
}

/** `path` as it stands in a request, without its query. */
export function matchesPath(route: Pick<Route, 'path'>, path: string): boolean {
  const asked = path.split('/')
  const known = route.path.split('/')
  return (
    known.length === asked.length && known.every((part, at) => part.startsWith(':') || part === asked[at])
  )
}

/** The path of a request: each `:name` is replaced. */
export function pathOf(route: Pick<Route, 'path'>, params: Readonly<Record<string, string>> = {}): string {
  return route.path.replace(/:(\w+)/g, (_whole, name: string) => encodeURIComponent(params[name] ?? ''))
}

/** Paths of the locks in the control API. Free of imports: the client uses them too. */

export const lockRoutes = {
  locks: { method: 'GET', path: '/v1/locks', summary: 'Locks that are held, by whom, and who waits' },
  hold: {
    method: 'POST',
    path: '/v1/locks/:name/hold',
    summary: 'Server-sent events: `held`, then `lost` when it is about to be; hanging up gives it up',
  },
  guard: {
    method: 'POST',
    path: '/v1/lock-sessions/:session/group',
    summary: 'A process group that is ended before the lock is given up',
  },
  heartbeat: {
    method: 'POST',
    path: '/v1/lock-sessions/:session/heartbeat',
    summary: 'The client lives; for how long the lock is valid',
  },
  release: {
    method: 'POST',
    path: '/v1/lock-sessions/:session/release',
    summary: 'End what is left of the group, then release the lock',
  },
  voters: { method: 'GET', path: '/v1/voters', summary: 'Who votes on locks, and how this peer stands' },
  addVoter: { method: 'POST', path: '/v1/voters/add', summary: 'Let a member vote on locks' },
  removeVoter: { method: 'POST', path: '/v1/voters/remove', summary: 'Let a voter vote no longer' },
  recoverVoter: {
    method: 'POST',
    path: '/v1/voters/recover',
    summary: 'Let a sole voter whose disk was rolled back vote again: a token may repeat',
  },
} as const

/**
 * Names that no plugin may take, because the daemon and its CLI have them or are
 * to have them. A list of its own, since the daemon knows no verb, and does not
 * load its metrics until somebody asks for them.
 */

/** Of the CLI. */
export const reservedVerbs: ReadonlySet<string> = new Set([
  ...['p2pd', 'help', 'init', 'status', 'members', 'ping', 'reachability', 'tags', 'invite', 'join', 'leave'],
  ...[
    'force-leave',
    'peers',
    'pub',
    'sub',
    'groups',
    'clock',
    'lock',
    'try-lock',
    'locks',
    'voters',
    'elect',
  ],
  ...['send', 'recv', 'call', 'serve', 'trace', 'monitor', 'testnet', 'bench', 'doctor', 'completion'],
])

/** First words of the daemon's own metrics, after `p2pd_`. */
export const reservedMetricWords: ReadonlySet<string> = new Set([
  ...['build', 'ready', 'generation', 'members', 'member', 'health', 'isolated', 'connections', 'watchers'],
  ...['suspicions', 'false', 'refutations', 'misbehaviours', 'round', 'frames', 'received', 'sent', 'dials'],
  ...['knocks', 'refused', 'links', 'group', 'forks', 'messages', 'envelopes', 'pulls', 'gossip', 'store'],
  ...['loop', 'plugin', 'name', 'tombstones', 'syncs', 'strangers'],
])

/** Of `status`; what a plugin says of `quorum` and `locks` is welcome. */
export const reservedStatusKeys: ReadonlySet<string> = new Set([
  ...['peerId', 'name', 'cluster', 'clusterId', 'version', 'addresses', 'uptimeMs', 'ready', 'pid'],
  ...['generation', 'rolledBack', 'health', 'members', 'clock', 'groups', 'forks', 'tags'],
  ...['stalled', 'nameConflicts'],
])

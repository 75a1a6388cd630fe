/**
 * Every verb as data: the parser, the help texts and the shell completions are
 * made from this one table. command-modules.ts knows the code of each.
 */
import { parseTag, parseTagFilter, parseTagKey } from '../daemon/tag-words.ts'
import { P2pdError } from '../lib/wire/errors.ts'
import { parseDuration } from './duration.ts'

export interface CommandSpec {
  readonly name: string
  readonly summary: string
  /** What to type, and what it does; --help begins with them. */
  readonly examples: readonly (readonly [line: string, meaning: string])[]
  readonly arguments?: readonly ArgumentSpec[]
  readonly options?: readonly OptionSpec[]
  /** A verb with these only groups them and does nothing by itself, unless it stands alone too. */
  readonly subcommands?: readonly CommandSpec[]
  readonly standsAlone?: boolean
  /** It handles signals itself. */
  readonly ownsSignals?: boolean
  /** It goes on when nobody reads its output any more. */
  readonly outlivesReader?: boolean
}

export interface ArgumentSpec {
  /** `<peer>` or `[peer]`, with `...` for several. */
  readonly name: string
  readonly summary: string
  readonly choices?: readonly string[]
  readonly completes?: 'files'
  /** Any number of words, which a shell takes apart unless they stand in quotes. */
  readonly isText?: boolean
}

export interface OptionSpec {
  readonly flags: string
  readonly summary: string
  /** Throws ERR_USAGE. */
  readonly parse?: (text: string) => unknown
  readonly choices?: readonly string[]
  readonly repeatable?: boolean
  readonly completes?: 'files' | 'folders' | 'scenarios'
}

/** Taken by every verb, before it or after it. */
export const commonOptions: readonly OptionSpec[] = [
  {
    flags: '--data <dir>',
    summary: 'data directory of the daemon (P2PD_DATA; default per XDG)',
    completes: 'folders',
  },
  { flags: '--json', summary: 'print JSON: one object, or one object a line' },
]

export const versionOption: OptionSpec = { flags: '-V, --version', summary: 'print the version' }

const peerArguments: readonly ArgumentSpec[] = [
  { name: '<peer...>', summary: 'peer id, unique prefix of one, or unique name' },
]

const peerArgument: ArgumentSpec = {
  name: '<peer>',
  summary: 'peer id, unique prefix of one, or unique name',
}

const lockArgument: ArgumentSpec = { name: '<lock>', summary: 'name of the lock: 1 to 256 bytes of UTF-8' }

const lockedCommand: ArgumentSpec = {
  name: '[command...]',
  summary: 'after --: what to run while it is held; without one it is held until stdin ends',
  completes: 'files',
}

const leaseOption: OptionSpec = {
  flags: '--lease <duration>',
  summary: 'how long it outlives a machine that dies (default 10s)',
  parse: parseDuration,
}

const groupArgument: ArgumentSpec = { name: '<group>', summary: 'name of the group; all is everybody' }

/** What may also stand in the config file. */
const settingOptions: readonly OptionSpec[] = [
  { flags: '--name <name>', summary: 'name of this peer (default: the host name)' },
  { flags: '--cluster <name>', summary: 'name of the cluster that is founded' },
  { flags: '--listen <multiaddr>', summary: 'address to listen at', repeatable: true },
  { flags: '--announce <multiaddr>', summary: 'address that others should dial', repeatable: true },
  { flags: '--join <multiaddr>', summary: 'address of a member to join through', repeatable: true },
  {
    flags: '--expect <n>',
    summary: 'found the locks together: so many, each with the others in --join',
    parse: wholeNumber(2, 1000),
  },
  {
    flags: '--plugin <module>',
    summary: 'run a plugin: a path or a package',
    repeatable: true,
    completes: 'files',
  },
  { flags: '--tag <key=value>', summary: 'what people say of this peer, kept', repeatable: true },
  { flags: '--mdns', summary: 'look for members in the local network' },
  { flags: '--profile <profile>', summary: 'timing of the probes', choices: ['lan', 'local', 'wan'] },
  {
    flags: '--log <level>',
    summary: 'how much to log on stderr',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
  },
]

/** Bare `p2pd`. */
export const runSpec: CommandSpec = {
  name: 'p2pd',
  summary: 'Membership and causal multicast for a handful to a few hundred machines, without a server.',
  examples: [
    ['p2pd', 'run the daemon; the first start founds a cluster'],
    ['p2pd invite > invite.txt', 'let another machine in: one line that holds the cluster secret'],
    ['p2pd --invite invite.txt', 'run the daemon on that machine and join'],
    ['p2pd members', 'who is in, and who is alive'],
    ['p2pd sub all', 'what is told to everybody, in causal order'],
  ],
  options: [
    ...settingOptions,
    { flags: '--invite <file>', summary: "invite to join with; '-' reads stdin", completes: 'files' },
    { flags: '--config <file>', summary: 'config file (default: DATA/config.toml)', completes: 'files' },
  ],
  ownsSignals: true,
  outlivesReader: true,
}

export const commandTable: readonly CommandSpec[] = [
  {
    name: 'init',
    summary: 'make data directory, identity and a commented config file, and stop',
    examples: [
      ['p2pd init', 'prepare the default data directory'],
      ['p2pd init --data /var/lib/p2pd --name m1', 'prepare another, with a name in its config file'],
    ],
    options: settingOptions,
  },
  {
    name: 'status',
    summary: 'identity, addresses, cluster, members by state and health on one screen',
    examples: [
      ['p2pd status', 'of the daemon on the default data directory'],
      ['p2pd status --json | jq .health', 'for a script'],
    ],
  },
  {
    name: 'members',
    summary: 'the membership table',
    examples: [
      ['p2pd members', 'everybody known'],
      ['p2pd members --status dead', 'only the dead'],
      ['p2pd members --tag role=web --tag zone', 'web servers that have a zone, whichever'],
      ['p2pd members --watch', 'follow changes until Ctrl-C'],
    ],
    options: [
      {
        flags: '--status <status>',
        summary: 'only members of this status',
        choices: ['alive', 'suspect', 'dead', 'left'],
      },
      {
        flags: '--tag <key[=value]>',
        summary: 'only members with this tag',
        parse: parseTagFilter,
        repeatable: true,
      },
      { flags: '-w, --watch', summary: 'go on with every change' },
    ],
  },
  {
    name: 'ping',
    summary: "measure round trips over the daemon's own link to a peer",
    examples: [
      ['p2pd ping m2', 'four round trips, and a summary'],
      ['p2pd ping 12D3KooWabcd --count 100 --interval 100ms', 'by a prefix of its id'],
    ],
    arguments: [{ name: '<peer>', summary: 'peer id, unique prefix of one, or unique name' }],
    options: [
      { flags: '-c, --count <n>', summary: 'how many (default 4)', parse: wholeNumber(1, 100_000) },
      { flags: '-i, --interval <duration>', summary: 'between two (default 1s)', parse: parseDuration },
      { flags: '--timeout <duration>', summary: 'for one answer (default 5s)', parse: parseDuration },
    ],
  },
  {
    name: 'reachability',
    summary: 'a round trip to every member that is not gone; exit code 1 when some do not answer',
    examples: [
      ['p2pd reachability', 'who answers this daemon, how fast, and by which connection'],
      ['p2pd reachability --timeout 1s || echo look', 'in a script'],
    ],
    options: [
      { flags: '--timeout <duration>', summary: 'for one answer (default 5s)', parse: parseDuration },
    ],
  },
  {
    name: 'tags',
    summary: 'what people say of this peer; changes are kept unless flags or config file say otherwise',
    examples: [
      ['p2pd tags', 'those that it has'],
      ['p2pd tags --set role=web --delete zone', 'while it runs; the others see it at once'],
      ['p2pd members --tag role=web', 'what they are good for'],
    ],
    options: [
      { flags: '--set <key=value>', summary: 'set a tag', parse: parseTag, repeatable: true },
      { flags: '--delete <key>', summary: 'take a tag away', parse: parseTagKey, repeatable: true },
    ],
  },
  {
    name: 'invite',
    summary: 'print an invite: one line that lets a machine in, with the cluster secret',
    examples: [
      ['p2pd invite > invite.txt', 'into a file; hand it over privately'],
      ["p2pd invite | ssh m2 'p2pd --invite -'", 'straight into another machine'],
      ['p2pd invite --new --cluster shop > invite.txt', 'without a daemon: for machines that found together'],
    ],
    options: [
      { flags: '--new', summary: 'make a secret for a cluster that is yet to be founded; asks no daemon' },
      { flags: '--cluster <name>', summary: 'with --new: its name (default p2pd)' },
      {
        flags: '--announce <multiaddr>',
        summary: 'address to name in it (default: those that the daemon announces; with --new none)',
        repeatable: true,
      },
    ],
  },
  {
    name: 'join',
    summary: 'dial members of the same cluster and merge with whoever answers',
    examples: [['p2pd join /ip4/192.0.2.7/tcp/4001', 'meet again after a move or a long partition']],
    arguments: [{ name: '<multiaddr...>', summary: 'where a member listens' }],
    options: [{ flags: '--timeout <duration>', summary: 'for an answer (default 5s)', parse: parseDuration }],
  },
  {
    name: 'leave',
    summary: 'give up membership, tell everybody, and end the daemon',
    examples: [
      ['p2pd leave', 'this machine is gone for good'],
      ['p2pd leave --force', 'also when the others then have no quorum for locks'],
      ['systemctl stop p2pd', 'to stop and stay a member, do this instead'],
    ],
    options: [{ flags: '--force', summary: 'go also where locks then stop for the others' }],
  },
  {
    name: 'force-leave',
    summary: 'a dead member does not come back: it counts as left, everywhere',
    examples: [
      ['p2pd force-leave m3', 'after its machine was thrown away'],
      ['p2pd peers deny m3', 'to keep one out that lives, do this instead'],
    ],
    arguments: [peerArgument],
    options: [
      {
        flags: '--timeout <duration>',
        summary: 'until the table shows it (default 5s)',
        parse: parseDuration,
      },
    ],
  },
  {
    name: 'peers',
    summary: 'who may come in',
    examples: [
      ['p2pd peers list', 'who is allowed, who is denied'],
      ['p2pd peers allow m1 m2', 'from now on only these'],
      ['p2pd peers deny m3', 'keep one out, also if it has the secret'],
    ],
    subcommands: [
      {
        name: 'allow',
        summary: 'let peers in; the first time, everybody else is shut out',
        examples: [
          ['p2pd peers allow m1 m2', 'asks first when this cuts a member off'],
          ['p2pd peers allow 12D3KooWabcd --yes', 'does not ask'],
        ],
        arguments: peerArguments,
        options: [{ flags: '-y, --yes', summary: 'do not ask before a member is cut off' }],
      },
      {
        name: 'deny',
        summary: 'keep peers out and cut their connections',
        examples: [['p2pd peers deny m3', 'also if it has the cluster secret']],
        arguments: peerArguments,
      },
      {
        name: 'list',
        summary: 'who is allowed, who is denied',
        examples: [['p2pd peers list', 'on this daemon']],
      },
    ],
  },
  {
    name: 'pub',
    summary: 'multicast a message to a group, and join it',
    examples: [
      ["p2pd pub orders 'two of the blue ones'", 'to every daemon that joined orders'],
      ['p2pd pub all < notice.txt', 'all of stdin as one message, to everybody'],
      ['tail -f app.log | p2pd pub logs --lines', 'a message a line'],
    ],
    arguments: [
      { name: '<group>', summary: 'name of the group; all is everybody' },
      { name: '[text]', summary: "the message, at most 1 MiB; '-' or nothing reads stdin", isText: true },
    ],
    options: [{ flags: '-l, --lines', summary: 'every line of stdin is a message' }],
  },
  {
    name: 'sub',
    summary: 'what is multicast to a group, in causal order; joins it',
    examples: [
      ['p2pd sub orders', 'from now on, until Ctrl-C'],
      ['p2pd sub orders --from earliest --json', 'all that this daemon still holds, an object a line'],
      ['p2pd sub orders --count 1', 'wait for one message'],
    ],
    arguments: [groupArgument],
    options: [
      {
        flags: '--from <place>',
        summary: 'latest (default), earliest, or the cursor of a message: what follows it',
      },
      { flags: '--order <order>', summary: 'causal (default)', choices: ['causal'], parse: parseOrder },
      { flags: '--no-vector', summary: 'leave the vectors out: they grow with the group' },
      {
        flags: '-c, --count <n>',
        summary: 'end after that many messages',
        parse: wholeNumber(1, 999_999_999),
      },
    ],
  },
  {
    name: 'groups',
    summary: 'groups that this daemon is in, or sees others in',
    examples: [
      ['p2pd groups', 'with their members, and what their logs hold'],
      ['p2pd groups leave orders', 'no longer take part in one'],
    ],
    standsAlone: true,
    subcommands: [
      {
        name: 'leave',
        summary: 'give up membership of a group; who reads it here is told',
        examples: [['p2pd groups leave orders', 'until the next pub or sub there']],
        arguments: [groupArgument],
      },
    ],
  },
  {
    name: 'clock',
    summary: 'logical, vector, hybrid and network time of this daemon',
    examples: [
      ['p2pd clock', 'now'],
      ['p2pd clock --group orders --watch', 'each second, with the vector of that group'],
    ],
    options: [
      { flags: '-g, --group <group>', summary: 'whose vector (default all)' },
      { flags: '-w, --watch', summary: 'once a second, until Ctrl-C' },
    ],
  },
  {
    name: 'lock',
    summary: 'run a command while holding a lock: it ends before anybody else can get in',
    examples: [
      ['p2pd lock deploy -- ./deploy.sh', 'one machine at a time; P2PD_FENCING_TOKEN says which turn it is'],
      ['p2pd lock deploy --wait 30s -- make release', 'exit code 4 if somebody else still has it then'],
      ['p2pd lock deploy --json', 'hold it until stdin ends, for a program'],
    ],
    arguments: [lockArgument, lockedCommand],
    options: [
      { flags: '--wait <duration>', summary: 'for the lock (default: for ever)', parse: parseDuration },
      leaseOption,
    ],
    ownsSignals: true,
    outlivesReader: true,
  },
  {
    name: 'try-lock',
    summary: 'the same without waiting: exit code 4 when somebody has it',
    examples: [['p2pd try-lock backup -- ./backup.sh', 'on every machine, and one of them does it']],
    arguments: [lockArgument, lockedCommand],
    options: [leaseOption],
    ownsSignals: true,
    outlivesReader: true,
  },
  {
    name: 'locks',
    summary: 'who holds which lock, and who waits, as a quorum of the voters says',
    examples: [
      ['p2pd locks', 'all that are held'],
      ['p2pd locks deploy --json', 'one of them, for a script'],
    ],
    arguments: [{ ...lockArgument, name: '[lock]' }],
  },
  {
    name: 'voters',
    summary: 'who votes on locks; the automatic policy changes that by itself',
    examples: [
      ['p2pd voters', 'who they are, who answers, and how this peer stands'],
      ['p2pd voters add m4', 'by hand'],
    ],
    standsAlone: true,
    subcommands: [
      {
        name: 'add',
        summary: 'let a member vote',
        examples: [['p2pd voters add m4', 'once it has taken over what the others granted']],
        arguments: [peerArgument],
      },
      {
        name: 'remove',
        summary: 'let a voter vote no longer; also one whose disk was lost',
        examples: [['p2pd voters remove m3', 'a quorum of the others has to answer']],
        arguments: [peerArgument],
      },
      {
        name: 'recover',
        summary: 'of a sole voter whose disk was rolled back: go on all the same',
        examples: [['p2pd voters recover', 'what was granted after the restored state is forgotten']],
      },
    ],
  },
  {
    name: 'trace',
    summary: 'the space-time trace: what was published and delivered here, and after what',
    examples: [
      ['p2pd trace > m1.jsonl', 'the last 10,000 events in all, an object a line'],
      [
        'p2pd trace --shiviz m1.jsonl m2.jsonl > log.txt',
        'traces of several daemons as a diagram for ShiViz',
      ],
    ],
    arguments: [
      {
        name: '[file...]',
        summary: 'traces to read instead of asking the daemon: JSON lines',
        completes: 'files',
      },
    ],
    options: [
      { flags: '-g, --group <group>', summary: 'which group (default all; of files, whichever they hold)' },
      { flags: '--shiviz', summary: 'as a log for ShiViz: every event with its vector clock' },
    ],
  },
  {
    name: 'testnet',
    summary: 'run a cluster of real daemons on this machine and judge it',
    examples: [
      ['p2pd testnet', 'five peers talk and contend for a lock; some are killed and return; checkers judge'],
      ['p2pd testnet --scenario list', 'what else can be done to them'],
      ['p2pd testnet --scenario catch-up', 'one is killed while they talk, and must catch up'],
      ['p2pd testnet --peers 7 --keep', 'seven, left running to play with'],
    ],
    options: [
      { flags: '--peers <n>', summary: 'how many daemons', parse: wholeNumber(1, 1000) },
      {
        flags: '--scenario <name>',
        summary: "what to do to them: a name, a .json file, or 'list', which shows what there is",
        completes: 'scenarios',
      },
      { flags: '--profile <profile>', summary: 'timing of the probes', choices: ['lan', 'local', 'wan'] },
      { flags: '--keep', summary: 'leave them running afterwards' },
    ],
    outlivesReader: true,
  },
  {
    name: 'completion',
    summary: 'print a script that completes p2pd in a shell',
    examples: [
      ['source <(p2pd completion bash)', 'in ~/.bashrc'],
      ['p2pd completion zsh > /usr/local/share/zsh/site-functions/_p2pd', 'once'],
      ['p2pd completion fish > ~/.config/fish/completions/p2pd.fish', 'once'],
    ],
    arguments: [{ name: '<shell>', summary: 'which shell', choices: ['bash', 'zsh', 'fish'] }],
  },
]

/** The orders that product and protocol know, but this version does not have, are not mistyped. */
function parseOrder(text: string): string {
  if (text === 'causal') return text
  if (text === 'fifo' || text === 'total') {
    throw new P2pdError('ERR_ORDER_UNAVAILABLE', `this version does not deliver in ${text} order`, {
      hint: 'leave --order out, or say causal',
    })
  }
  throw new P2pdError('ERR_USAGE', `'${text}' is no order`, { hint: 'say causal' })
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new P2pdError('ERR_USAGE', `'${text}' is out of range`, {
      hint: `a whole number from ${min} to ${max}`,
    })
  }
}

import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { parseAddress } from './host/addresses.ts'
import type { HostNode } from './host/guest-node.ts'
import { defaultListen } from './host/listen.ts'
import type { NoPlugins, PeerPlugin } from './plugin.ts'
import { pluginList } from './plugin-list.ts'
import { type MembershipConfig, type Profile, profiles } from './protocols/membership/config.ts'
import type { Tags } from './protocols/membership/messages.ts'
import { configProblem, type MulticastConfig, multicastDefaults } from './protocols/multicast/config.ts'
import { P2pdError } from './wire/errors.ts'
import { maxAddresses } from './wire/limits.ts'
import { tagsProblem } from './wire/tag.ts'

/** What `createPeer` takes. */
export interface PeerOptions<Plugins extends Readonly<Record<string, PeerPlugin>> = NoPlugins> {
  /** Name of the cluster, 1 to 64 characters; together with the secret it says which cluster is meant. */
  readonly cluster: string
  /** 32 bytes that all peers of the cluster share, or their 64 hexadecimal digits. Whoever has it may come in. */
  readonly secret: Uint8Array | string
  /** Keeps identity, port, known peers and this peer's own state. Without it everything is forgotten at the end. */
  readonly dataDir?: string
  /** A protobuf-encoded libp2p Ed25519 private key, instead of `dataDir`'s or a new one. */
  readonly identity?: Uint8Array
  /**
   * The given `identity` has never run before. Otherwise, with a data directory
   * that does not know it, it counts as one that lost its disk: it has no vote
   * in locks until it is removed from the voters and added again.
   */
  readonly newIdentity?: boolean
  /**
   * Runs inside this libp2p node, which the app has started and stops after the
   * peer, instead of making one. It needs TCP, noise and yamux, an Ed25519 key,
   * given as `identity` as well, and `listen` is its own affair. Who connects must
   * prove the secret. In a cluster with peers whose node is their own it also
   * needs pnet with `swarmKey(secret)`.
   */
  readonly libp2p?: HostNode
  /** For people; the host name by default. */
  readonly name?: string
  /** Multiaddrs `/ip4|ip6/…/tcp/PORT`; all interfaces at one free port by default. */
  readonly listen?: readonly string[]
  /** Multiaddrs that others should dial instead of those listened on; at most 16. */
  readonly announce?: readonly string[]
  /** Multiaddrs of peers to join through. */
  readonly join?: readonly string[]
  /**
   * Look for other members in the local network, by multicast DNS over IPv4, and be
   * found by them. Who is found still has to know the secret. Off by default.
   */
  readonly mdns?: boolean
  /**
   * This peer founds what one alone may found, such as the electorate of the locks. By
   * default who has nobody to `join`, and does not look for others with `mdns`. Of
   * meaning at the first start of an identity alone.
   */
  readonly first?: boolean
  /**
   * What people say of this peer, such as `{ role: 'web' }`: shown to all members. At
   * most 32; keys of 1 to 64 letters, digits, dots, dashes and underscores, values of
   * at most 256 printable ASCII characters. `setTags` changes them later.
   */
  readonly tags?: Tags
  /**
   * Rule of thumb: `lan` for machines in one building, `local` for processes on one
   * machine, `wan` where round trips take tens of milliseconds and more. `lan` by default.
   */
  readonly profile?: Profile
  /** Changes single knobs of the profile. */
  readonly membership?: Partial<MembershipConfig>
  /** Changes single knobs of multicast. */
  readonly multicast?: Partial<MulticastConfig>
  /** Protocols of their own, by name: `{ mutex: mutex() }` gives `peer.plugins.mutex`. */
  readonly plugins?: Plugins
  /** Of the embedding software, shown to other members; at most 64 characters. */
  readonly version?: string
  /** Gives up starting; a peer that has started is stopped with `stop()`. */
  readonly signal?: AbortSignal
}

export interface PeerSettings {
  readonly cluster: string
  readonly clusterId: string
  readonly secret: Uint8Array
  readonly name: string
  /** None in an app's node. */
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly join: readonly string[]
  /** Others found what one alone may found. */
  readonly joins: boolean
  readonly libp2p: HostNode | undefined
  readonly mdns: boolean
  readonly tags: Tags
  readonly profile: Profile
  readonly config: MembershipConfig
  readonly plugins: readonly PeerPlugin[]
  readonly multicast: MulticastConfig
  readonly version: string
}

/** Errors: ERR_BAD_OPTION, ERR_BAD_ADDRESS, ERR_BAD_PLUGIN. */
export function settingsOf(options: PeerOptions<Readonly<Record<string, PeerPlugin>>>): PeerSettings {
  const secret = secretBytes(options.secret)
  const cluster = text('cluster', options.cluster, 64)
  const listen = listenOf(options)
  const announce = options.announce ?? []
  const join = options.join ?? []
  const profile = options.profile ?? 'lan'
  const mdns = options.mdns ?? false
  for (const address of [...listen, ...announce, ...join]) parseAddress(address)
  if (listen.length > maxAddresses || announce.length > maxAddresses) {
    throw new P2pdError('ERR_BAD_OPTION', `at most ${maxAddresses} addresses to listen on or to announce`)
  }
  return {
    cluster,
    clusterId: clusterId(cluster, secret),
    secret,
    name: text('name', options.name ?? (hostname().replace(/[^ -~]/g, '-') || 'peer'), 64),
    listen,
    announce,
    join,
    joins: options.first === undefined ? join.length > 0 || mdns : !options.first,
    libp2p: options.libp2p,
    mdns,
    tags: checkedTags(options.tags ?? {}),
    profile,
    config: { ...profiles[profile], ...options.membership },
    plugins: pluginList(options.plugins),
    multicast: multicastConfig(options.multicast),
    version: text('version', options.version ?? '0.1.0', 64),
  }
}

/** In an app's node what concerns the node is the app's. */
function listenOf({
  libp2p,
  listen,
  identity,
}: PeerOptions<Readonly<Record<string, PeerPlugin>>>): readonly string[] {
  if (libp2p === undefined) return listen ?? defaultListen
  if (listen !== undefined) {
    throw new P2pdError('ERR_BAD_OPTION', 'listen and libp2p exclude each other', {
      hint: 'the node listens where createLibp2p was told to',
    })
  }
  if (identity === undefined) {
    throw new P2pdError('ERR_BAD_OPTION', 'libp2p without identity', {
      hint: 'a node keeps its key to itself: give privateKeyToProtobuf(privateKey) of the one that createLibp2p got',
    })
  }
  return []
}

/** Which cluster is meant: of name and secret, and of neither alone. 32 hexadecimal digits; tells nothing of the secret. */
export function clusterId(cluster: string, secret: Uint8Array): string {
  const hash = createHash('sha256').update(`p2pd cluster id\0${cluster}\0`).update(secret)
  return hash.digest('hex').slice(0, 32)
}

/** A copy, so that nobody changes it behind the peer's back. Errors: ERR_BAD_OPTION. */
export function checkedTags(tags: Tags): Tags {
  const problem =
    typeof tags === 'object' && tags !== null && !Array.isArray(tags) ? tagsProblem(tags) : 'are no object'
  if (problem === undefined) return { ...tags }
  throw new P2pdError('ERR_BAD_OPTION', `the tags ${problem}`, {
    hint: "an object of strings, like { role: 'web', zone: 'eu-1' }",
  })
}

function multicastConfig(changes: Partial<MulticastConfig> = {}): MulticastConfig {
  const config = { ...multicastDefaults, ...changes }
  const problem = configProblem(config)
  if (problem === undefined) return config
  throw new P2pdError('ERR_BAD_OPTION', `multicast: ${problem}`)
}

function secretBytes(secret: Uint8Array | string): Uint8Array {
  const bytes = typeof secret === 'string' ? hexBytes(secret) : secret
  if (bytes?.byteLength === 32) return bytes
  throw new P2pdError('ERR_BAD_OPTION', 'the secret is not 32 bytes', {
    hint: '32 random bytes, or their 64 hexadecimal digits; for example openssl rand -hex 32',
  })
}

function hexBytes(hex: string): Uint8Array | undefined {
  return /^[0-9a-fA-F]{64}$/.test(hex) ? Uint8Array.from(Buffer.from(hex, 'hex')) : undefined
}

/** As records may hold it: see `statements.ts`. */
function text(option: string, value: string, maxLength: number): string {
  if (value.length > 0 && value.length <= maxLength && /^[ -~]+$/.test(value)) return value
  throw new P2pdError('ERR_BAD_OPTION', `${option} must have 1 to ${maxLength} printable ASCII characters`)
}

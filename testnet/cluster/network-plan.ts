/**
 * The network of a testnet as commands, which `network.ts` carries out.
 *
 * One namespace a peer, and a hub that routes between them:
 *
 * ```
 *   n1  10.77.1.2 ── 10.77.1.1 ┐
 *   n2  10.77.2.2 ── 10.77.2.1 ┤ hub: forwards, unless a rule says no
 *   n3  10.77.3.2 ── 10.77.3.1 ┘
 * ```
 *
 * All rules are the hub's, replaced in one transaction. A sender is not told that
 * its packets are dropped, as it would be by a rule of its own namespace. The
 * machine itself gets no device, address or rule.
 */
import { namespaceName } from './namespace-names.ts'
import type { NetworkTools } from './network-tools.ts'

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  /** For its stdin. */
  readonly input: string
}

/** What does not get through. Peers are numbered from 1. */
export interface Faults {
  readonly cuts: readonly { readonly from: readonly number[]; readonly to: readonly number[] }[]
  /** Nothing passes from them or to them. */
  readonly silent: ReadonlySet<number>
  /** Of all packets, by chance. */
  readonly lossPercent: number
}

export const noFaults: Faults = { cuts: [], silent: new Set(), lossPercent: 0 }

const firstHost = 2
/** A peer moves through the addresses of its subnet. */
const hosts = 250

export function subnetOf(peer: number): string {
  return `10.77.${peer}.0/24`
}

/** `moves`: how often its address was changed. */
export function addressOf(peer: number, moves = 0): string {
  return `10.77.${peer}.${firstHost + (moves % hosts)}`
}

function gatewayOf(peer: number): string {
  return `10.77.${peer}.1`
}

/** In the order in which they have to run; each of `names` is a peer. */
export function setUp({ ip }: NetworkTools, run: string, names: readonly string[]): readonly Command[] {
  const hub = namespaceName(run, 'hub')
  const spaces = names.map((name) => namespaceName(run, name))
  const batch = (namespace: readonly string[], lines: readonly string[]): Command => ({
    program: ip,
    args: [...namespace, '-batch', '-'],
    input: `${lines.join('\n')}\n`,
  })
  const links = spaces.flatMap((space, index) => {
    const peer = index + 1
    return [
      `link add r${peer} type veth peer name eth0 netns ${space}`,
      `address add ${gatewayOf(peer)}/24 dev r${peer}`,
      `link set r${peer} up`,
    ]
  })
  return [
    batch(
      [],
      [hub, ...spaces].map((space) => `netns add ${space}`),
    ),
    batch(['-n', hub], links),
    ...spaces.map((space, index) => {
      const peer = index + 1
      return batch(
        ['-n', space],
        [
          'link set lo up',
          `address add ${addressOf(peer)}/24 dev eth0`,
          'link set eth0 up',
          `route add default via ${gatewayOf(peer)}`,
        ],
      )
    }),
    {
      program: ip,
      args: ['netns', 'exec', hub, 'tee', '/proc/sys/net/ipv4/ip_forward'],
      input: '1\n',
    },
  ]
}

/** Takes the old address away, which ends whatever still uses it. */
export function move({ ip }: NetworkTools, run: string, name: string, peer: number, moves: number): Command {
  const lines = [
    `address delete ${addressOf(peer, moves - 1)}/24 dev eth0`,
    `address add ${addressOf(peer, moves)}/24 dev eth0`,
    // It went with the last address of its subnet.
    `route add default via ${gatewayOf(peer)}`,
  ]
  return {
    program: ip,
    args: ['-n', namespaceName(run, name), '-batch', '-'],
    input: `${lines.join('\n')}\n`,
  }
}

/** Replaces all rules of the hub. */
export function filter({ ip, filter: { type, path } }: NetworkTools, run: string, faults: Faults): Command {
  const arg = type === 'nft' ? ['-f', '-'] : []
  return {
    program: ip,
    args: ['netns', 'exec', namespaceName(run, 'hub'), path, ...arg],
    input: type === 'nft' ? nftScript(faults) : iptablesScript(faults),
  }
}

/** Tells how often each rule of the hub dropped something. */
export function counters({ ip, filter: { type, path } }: NetworkTools, run: string): Command {
  const tool =
    type === 'nft'
      ? [path, 'list', 'table', 'ip', 'p2pd']
      : [path.replace(/restore$/, 'save'), '-c', '-t', 'filter']
  return { program: ip, args: ['netns', 'exec', namespaceName(run, 'hub'), ...tool], input: '' }
}

/** Packets, of what `counters` prints. */
export function dropped(output: string): number {
  const counts = output.split('\n').map((line) => {
    const nft = /counter packets (\d+) bytes \d+ drop/.exec(line)
    const iptables = /^\[(\d+):\d+\] .* -j DROP/.exec(line)
    return Number((nft ?? iptables)?.[1] ?? 0)
  })
  return counts.reduce((total, count) => total + count, 0)
}

function nftScript({ cuts, silent, lossPercent }: Faults): string {
  const set = (peers: Iterable<number>): string => `{ ${[...peers].map(subnetOf).join(', ')} }`
  const rules = [
    ...cuts.map(({ from, to }) => `ip saddr ${set(from)} ip daddr ${set(to)} counter drop`),
    ...(silent.size === 0
      ? []
      : [`ip saddr ${set(silent)} counter drop`, `ip daddr ${set(silent)} counter drop`]),
    ...(lossPercent === 0 ? [] : [`numgen random mod 100 < ${lossPercent} counter drop`]),
  ]
  // The first line makes it, so that the second finds something to delete.
  return `table ip p2pd
delete table ip p2pd
table ip p2pd {
  chain forward {
    type filter hook forward priority 0; policy accept;
${rules.map((rule) => `    ${rule}\n`).join('')}  }
}
`
}

function iptablesScript({ cuts, silent, lossPercent }: Faults): string {
  const rules = [
    ...cuts.flatMap(({ from, to }) =>
      from.flatMap((sender) => to.map((taker) => `-s ${subnetOf(sender)} -d ${subnetOf(taker)}`)),
    ),
    ...[...silent].flatMap((peer) => [`-s ${subnetOf(peer)}`, `-d ${subnetOf(peer)}`]),
    ...(lossPercent === 0
      ? []
      : [`-m statistic --mode random --probability ${(lossPercent / 100).toFixed(2)}`]),
  ]
  return `*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
${rules.map((rule) => `-A FORWARD ${rule} -j DROP\n`).join('')}COMMIT
`
}

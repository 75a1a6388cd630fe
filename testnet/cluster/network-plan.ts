/**
 * Networks of their own for several peers as commands, which `network.ts` carries out.
 *
 * One namespace a peer, and a hub that routes between them:
 *
 * ```
 *   n1  10.77.1.2, fd77:0:0:1::2 ── r1 ┐
 *   n2  10.77.2.2, fd77:0:0:2::2 ── r2 ┤ hub: forwards, unless a rule says no
 *   n3  10.77.3.2, fd77:0:0:3::2 ── r3 ┘
 * ```
 *
 * All rules are the hub's. They go by the hub's devices, one a peer, and so for both
 * families alike. A sender is not told that its packets are dropped, as it would be by a
 * rule of its own namespace. The machine itself gets no device, address or rule.
 */
import { namespaceName } from './namespace-names.ts'
import type { Family, NetworkTools } from './network-tools.ts'

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

/** As many as there are subnets. */
export const maxPeers = 250
const firstHost = 2
/** A peer moves through the addresses of its subnets. */
const hosts = 250
const prefixLengths: Readonly<Record<Family, number>> = { ip4: 24, ip6: 64 }

/** `moves`: how often its address was changed. */
export function addressOf(peer: number, family: Family = 'ip4', moves = 0): string {
  const host = firstHost + (moves % hosts)
  return family === 'ip4' ? `10.77.${peer}.${host}` : `fd77:0:0:${hex(peer)}::${hex(host)}`
}

function gatewayOf(peer: number, family: Family): string {
  return family === 'ip4' ? `10.77.${peer}.1` : `fd77:0:0:${hex(peer)}::1`
}

function hex(part: number): string {
  return part.toString(16)
}

function deviceOf(peer: number): string {
  return `r${peer}`
}

function familiesOf({ ip6 }: NetworkTools): readonly Family[] {
  return ip6 ? ['ip4', 'ip6'] : ['ip4']
}

/** An address of a device; one of IPv6 is used at once, without asking whether another machine has it. */
function addressLine(deed: 'add' | 'delete', family: Family, address: string, device: string): string {
  const now = deed === 'add' && family === 'ip6' ? ' nodad' : ''
  return `address ${deed} ${address}/${prefixLengths[family]} dev ${device}${now}`
}

function routeLine(peer: number, family: Family): string {
  const all = family === 'ip4' ? '0.0.0.0/0' : '::/0'
  return `route add ${all} via ${gatewayOf(peer, family)}`
}

/** In the order in which they have to run; each of `names` is a peer. */
export function setUp(tools: NetworkTools, run: string, names: readonly string[]): readonly Command[] {
  const { ip } = tools
  const families = familiesOf(tools)
  const hub = namespaceName(run, 'hub')
  const spaces = names.map((name) => namespaceName(run, name))
  const batch = (namespace: readonly string[], lines: readonly string[]): Command => ({
    program: ip,
    args: [...namespace, '-batch', '-'],
    input: `${lines.join('\n')}\n`,
  })
  const write = (space: string, path: string, value: string): Command => ({
    program: ip,
    args: ['netns', 'exec', space, 'tee', `/proc/sys/net/${path}`],
    input: `${value}\n`,
  })
  const links = spaces.flatMap((space, index) => {
    const peer = index + 1
    const device = deviceOf(peer)
    return [
      `link add ${device} type veth peer name eth0 netns ${space}`,
      ...families.map((family) => addressLine('add', family, gatewayOf(peer, family), device)),
      `link set ${device} up`,
    ]
  })
  return [
    batch(
      [],
      [hub, ...spaces].map((space) => `netns add ${space}`),
    ),
    write(hub, 'ipv4/ip_forward', '1'),
    ...(tools.ip6 ? [write(hub, 'ipv6/conf/all/forwarding', '1')] : []),
    batch(['-n', hub], links),
    ...spaces.map((space, index) => {
      const peer = index + 1
      return batch(
        ['-n', space],
        [
          'link set lo up',
          ...families.map((family) => addressLine('add', family, addressOf(peer, family), 'eth0')),
          'link set eth0 up',
          ...families.map((family) => routeLine(peer, family)),
        ],
      )
    }),
  ]
}

/** Takes the old addresses away, which ends whatever still uses them. */
export function move(tools: NetworkTools, run: string, name: string, peer: number, moves: number): Command {
  const lines = familiesOf(tools).flatMap((family) => [
    addressLine('delete', family, addressOf(peer, family, moves - 1), 'eth0'),
    addressLine('add', family, addressOf(peer, family, moves), 'eth0'),
    // That of IPv4 went with the last address of its subnet.
    ...(family === 'ip4' ? [routeLine(peer, family)] : []),
  ])
  return {
    program: tools.ip,
    args: ['-n', namespaceName(run, name), '-batch', '-'],
    input: `${lines.join('\n')}\n`,
  }
}

/** Replaces all rules of the hub, each family's at once. */
export function filter(tools: NetworkTools, run: string, faults: Faults): readonly Command[] {
  const inHub = inNamespace(tools, namespaceName(run, 'hub'))
  const { type, path } = tools.filter
  if (type === 'nft') return [inHub([path, '-f', '-'], nftScript(faults))]
  return iptablesOf(tools).map((program) => inHub([program], iptablesScript(faults)))
}

/** Tell how often each rule of the hub dropped something. */
export function counters(tools: NetworkTools, run: string): readonly Command[] {
  const inHub = inNamespace(tools, namespaceName(run, 'hub'))
  const { type, path } = tools.filter
  if (type === 'nft') return [inHub([path, 'list', 'table', 'inet', 'p2pd'])]
  const programs = iptablesOf(tools).map((program) => program.replace(/restore$/, 'save'))
  return programs.map((program) => inHub([program, '-c', '-t', 'filter']))
}

/** Tells what came through each device of the hub. */
export function traffic({ ip }: NetworkTools, run: string): Command {
  return { program: ip, args: ['-n', namespaceName(run, 'hub'), '-s', '-j', 'link'], input: '' }
}

/** Bytes that each peer has sent, headers and all, of what `traffic` prints. */
export function sentBytes(output: string): ReadonlyMap<number, number> {
  const links = JSON.parse(output) as readonly {
    readonly ifname: string
    readonly stats64: { readonly rx: { readonly bytes: number } }
  }[]
  return new Map(
    links.flatMap(({ ifname, stats64 }) => {
      const peer = /^r(\d+)$/.exec(ifname)?.[1]
      return peer === undefined ? [] : [[Number(peer), stats64.rx.bytes] as const]
    }),
  )
}

/** Packets, of what `counters` print. */
export function dropped(output: string): number {
  const counts = output.split('\n').map((line) => {
    const nft = /counter packets (\d+) bytes \d+ drop/.exec(line)
    const iptables = /^\[(\d+):\d+\] .* -j DROP/.exec(line)
    return Number((nft ?? iptables)?.[1] ?? 0)
  })
  return counts.reduce((total, count) => total + count, 0)
}

function inNamespace({ ip }: NetworkTools, space: string) {
  return (command: readonly string[], input = ''): Command => ({
    program: ip,
    args: ['netns', 'exec', space, ...command],
    input,
  })
}

/** One for each family. */
function iptablesOf({ ip6, filter: { path } }: NetworkTools): readonly string[] {
  return ip6 ? [path, path.replace(/iptables-restore$/, 'ip6tables-restore')] : [path]
}

function nftScript({ cuts, silent, lossPercent }: Faults): string {
  const set = (peers: Iterable<number>): string =>
    `{ ${[...peers].map((peer) => `"${deviceOf(peer)}"`).join(', ')} }`
  const rules = [
    ...cuts.map(({ from, to }) => `iifname ${set(from)} oifname ${set(to)} counter drop`),
    ...(silent.size === 0
      ? []
      : [`iifname ${set(silent)} counter drop`, `oifname ${set(silent)} counter drop`]),
    ...(lossPercent === 0 ? [] : [`numgen random mod 100 < ${lossPercent} counter drop`]),
  ]
  // The first line makes it, so that the second finds something to delete.
  return `table inet p2pd
delete table inet p2pd
table inet p2pd {
  chain forward {
    type filter hook forward priority 0; policy accept;
${rules.map((rule) => `    ${rule}\n`).join('')}  }
}
`
}

function iptablesScript({ cuts, silent, lossPercent }: Faults): string {
  const rules = [
    ...cuts.flatMap(({ from, to }) =>
      from.flatMap((sender) => to.map((taker) => `-i ${deviceOf(sender)} -o ${deviceOf(taker)}`)),
    ),
    ...[...silent].flatMap((peer) => [`-i ${deviceOf(peer)}`, `-o ${deviceOf(peer)}`]),
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

/** What it takes to give each peer a network of its own: Linux, root, iproute2, and nft or iptables. */
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { P2pdError } from '../../lib/wire/errors.ts'

export type Family = 'ip4' | 'ip6'

export interface NetworkTools {
  /** Path of iproute2's `ip`. */
  readonly ip: string
  readonly filter: { readonly type: 'nft' | 'iptables'; readonly path: string }
  /** The kernel has IPv6, and there is what it takes to drop its packets. */
  readonly ip6: boolean
}

/** Where they are beside the PATH, which often lacks them. */
const folders = ['/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/local/sbin']

export interface Machine {
  readonly platform: string
  /** Undefined where there are none. */
  readonly uid: number | undefined
  readonly find: (tool: string) => string | undefined
  /** Of the kernel. */
  readonly ip6: boolean
}

export function thisMachine(): Machine {
  const ip6 = existsSync('/proc/sys/net/ipv6')
  return { platform: process.platform, uid: process.getuid?.(), find: findTool, ip6 }
}

/** Throws ERR_TESTNET_NETWORK with the first thing that is missing; IPv6 only where `family` is that. */
export function networkTools(machine: Machine, family: Family = 'ip4'): NetworkTools {
  const tools = toolsOf(machine)
  if (tools.ip6 || family === 'ip4') return tools
  if (!machine.ip6) throw unable('this machine has no IPv6', 'run it on one whose kernel has it')
  throw unable("there is neither 'nft' nor 'ip6tables-restore'", 'install the package nftables, or iptables')
}

function toolsOf({ platform, uid, find, ip6 }: Machine): NetworkTools {
  if (platform !== 'linux') throw unable('only Linux has network namespaces', 'run it on Linux')
  if (uid !== 0) {
    throw unable(
      'network namespaces are for root to make',
      "run it as root, 'sudo p2pd testnet --scenario …', in a virtual machine for example",
    )
  }
  const ip = find('ip')
  if (ip === undefined) throw unable("there is no 'ip'", 'install the package iproute2')
  const nft = find('nft')
  if (nft !== undefined) return { ip, filter: { type: 'nft', path: nft }, ip6 }
  const iptables = find('iptables-restore')
  if (iptables !== undefined) {
    const filter = { type: 'iptables', path: iptables } as const
    return { ip, filter, ip6: ip6 && find('ip6tables-restore') !== undefined }
  }
  throw unable("there is neither 'nft' nor 'iptables-restore'", 'install the package nftables, or iptables')
}

export function unable(problem: string, hint: string): P2pdError {
  return new P2pdError('ERR_TESTNET_NETWORK', `the peers cannot have a network of their own: ${problem}`, {
    hint: `${hint}; 'p2pd testnet --scenario list' shows which scenarios need it`,
  })
}

/** Path of a program. */
export function findTool(tool: string): string | undefined {
  const all = [...(process.env.PATH ?? '').split(delimiter), ...folders]
  // An empty or relative one would run what lies in the folder where somebody stands, as root.
  const paths = all.filter((folder) => isAbsolute(folder)).map((folder) => join(folder, tool))
  return paths.find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

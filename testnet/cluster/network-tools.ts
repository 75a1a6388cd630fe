/** What it takes to give each peer a network of its own: Linux, root, iproute2, and nft or iptables. */
import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { P2pdError } from '../../lib/wire/errors.ts'

export interface NetworkTools {
  /** Path of iproute2's `ip`. */
  readonly ip: string
  readonly filter: { readonly type: 'nft' | 'iptables'; readonly path: string }
}

/** Where they are beside the PATH, which often lacks them. */
const folders = ['/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/local/sbin']

export interface Machine {
  readonly platform: string
  /** Undefined where there are none. */
  readonly uid: number | undefined
  readonly find: (tool: string) => string | undefined
}

export function thisMachine(): Machine {
  return { platform: process.platform, uid: process.getuid?.(), find: findTool }
}

/** Throws ERR_TESTNET_NETWORK with the first thing that is missing. */
export function networkTools({ platform, uid, find }: Machine): NetworkTools {
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
  if (nft !== undefined) return { ip, filter: { type: 'nft', path: nft } }
  const iptables = find('iptables-restore')
  if (iptables !== undefined) return { ip, filter: { type: 'iptables', path: iptables } }
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

/** The config file that `p2pd init` writes: every key, its default, what it is for. */
import { configDefaults, logLevels, type Settings } from './config.ts'

/** `given` stands as set; all other keys are comments that hold their defaults. */
export function configTemplate(given: Settings): string {
  return `# p2pd's configuration (TOML). Flags and P2PD_* variables win over what stands here.
# A line that begins with # and a key shows the default; remove the # to change it.
# The cluster secret never stands here: it comes with an invite and lies in cluster.secret.

# How other members call this peer. Default: the name used last, else the host's name.
${line('name', given.name, 'web-1')}

# The name of a cluster that is founded by this peer. One that exists here must bear it.
${line('cluster', given.cluster, 'p2pd')}

# Where to listen: TCP multiaddrs. Port 0 is a free port, which is kept from then on.
${line('listen', given.listen, ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0'])}

# The addresses that others should dial, where they differ (containers, NAT).
# Default: those that it listens at.
${line('announce', given.announce, [])}

# Members to dial on start besides those that are remembered.
${line('join', given.join, [])}

# Found the electorate of the locks together with others: so many peers, this one included, each
# with the others in join. Default: the peer that founds the cluster founds the electorate too, alone.
${line('expect', given.expect, 3)}

# Plugins besides those that are built in: packages, or paths from the folder of this file. They run
# with all the rights of the daemon.
${line('plugins', given.plugins, [])}

# What people say of this peer, for 'p2pd members --tag role=web'. Default: what 'p2pd tags' set last.
${line('tags', given.tags, { role: 'web' })}

# Look for other members in the local network (multicast DNS), besides those in join. Who is found
# still has to know the secret.
${line('mdns', given.mdns, configDefaults.mdns)}

# Time-outs: "lan" for machines in one building, "local" for processes on one machine, "wan" where
# round trips take tens of milliseconds and more. The same on all machines of a cluster.
${line('profile', given.profile, configDefaults.profile)}

# How much is logged: ${logLevels.join(', ')}.
${line('log', given.log, configDefaults.log)}

[membership]
# Take a closed connection and refused connects as proof that a process died: within a
# second instead of some. Switch it off behind a firewall that refuses instead of drops.
${line('fastPath', given.membership?.fastPath, configDefaults.fastPath)}

[control]
# The control API listens at a Unix socket. With an address here it also listens on TCP,
# on loopback only, for whoever has the token. Default: off.
${line('tcp', given.control?.tcp, '127.0.0.1:7070')}

# The file with that token, made on the first start; relative to the data directory.
${line('tokenFile', given.control?.tokenFile, 'control.token')}

# Host headers accepted there besides the own address, and Origins of web pages that may use it.
${line('hosts', given.control?.hosts, [])}
${line('origins', given.control?.origins, [])}
`
}

type Value = string | number | boolean | readonly string[] | Readonly<Record<string, string>>

function line(key: string, given: Value | undefined, fallback: Value): string {
  return given === undefined ? `#${key} = ${toml(fallback)}` : `${key} = ${toml(given)}`
}

/** JSON's strings, numbers, booleans and arrays of strings are TOML's; its objects are not. */
function toml(value: Value): string {
  if (Array.isArray(value)) return `[${value.map((item) => JSON.stringify(item)).join(', ')}]`
  if (typeof value !== 'object') return JSON.stringify(value)
  const pairs = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)} = ${JSON.stringify(item)}`)
  return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`
}

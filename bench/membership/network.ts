/**
 * A machine's network for each member, on one machine: namespaces of the kernel,
 * joined by a router in a namespace of its own. Needs root, `ip` and `nft`.
 *
 * What the network does to packets it does in the router: the sender of a lost
 * packet must not learn of it. Nothing outside these namespaces is touched.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const prefix = 'bench-p2pd-'

/** Where members run, and what their network can be made to do. */
export interface Network {
  address(member: number): string
  /** The same command, run where that member lives. */
  inside(member: number, command: readonly string[]): readonly string[]
  /** Nothing reaches it any more, and nothing comes from it. */
  silence(member: number): void
  /** Nothing passes between these and the others. */
  split(members: readonly number[]): void
  /** Of all packets, so many percent are lost. */
  lose(percent: number): void
  mend(): void
  /** What each has sent so far, headers and all. */
  sentBytes(): ReadonlyMap<number, number>
  close(): void
}

/** Undefined where it cannot be made. */
export function createNetwork(members: number): Network | undefined {
  if (process.getuid?.() !== 0 || !works('ip', 'netns') || !works('nft', '--version')) return undefined
  removeLeftOvers()
  return new RoutedNetwork(members)
}

class RoutedNetwork implements Network {
  readonly #members: number
  readonly #run = `${prefix}${process.pid}-`
  readonly #router = `${this.#run}router`

  constructor(members: number) {
    this.#members = members
    try {
      ip(['netns', 'add', this.#router])
      for (let member = 1; member <= members; member++) this.#connect(member)
      run(enter(this.#router, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']))
      this.#rule('add table ip bench')
      this.#rule('add chain ip bench passing { type filter hook forward priority 0; }')
    } catch (error) {
      this.close()
      throw error
    }
  }

  address(member: number): string {
    return `${subnet(member)}.2`
  }

  inside(member: number, command: readonly string[]): readonly string[] {
    return enter(this.#home(member), command)
  }

  silence(member: number): void {
    this.#rule(`add rule ip bench passing iifname ${port(member)} drop`)
    this.#rule(`add rule ip bench passing oifname ${port(member)} drop`)
  }

  split(members: readonly number[]): void {
    const all = Array.from({ length: this.#members }, (_, i) => i + 1)
    const here = set(members)
    const there = set(all.filter((member) => !members.includes(member)))
    this.#rule(`add rule ip bench passing iifname ${here} oifname ${there} drop`)
    this.#rule(`add rule ip bench passing iifname ${there} oifname ${here} drop`)
  }

  lose(percent: number): void {
    this.#rule(`add rule ip bench passing numgen random mod 100 < ${percent} drop`)
  }

  mend(): void {
    this.#rule('flush chain ip bench passing')
  }

  sentBytes(): ReadonlyMap<number, number> {
    const links = JSON.parse(ip(['-n', this.#router, '-s', '-j', 'link'])) as readonly {
      readonly ifname: string
      readonly stats64: { readonly rx: { readonly bytes: number } }
    }[]
    return new Map(
      links.flatMap(({ ifname, stats64 }) =>
        ifname.startsWith('m') ? [[Number(ifname.slice(1)), stats64.rx.bytes]] : [],
      ),
    )
  }

  close(): void {
    for (const name of namespaces()) if (name.startsWith(this.#run)) ip(['netns', 'delete', name])
  }

  #connect(member: number): void {
    const home = this.#home(member)
    ip(['netns', 'add', home])
    ip(
      ['link', 'add', port(member), 'netns', this.#router, 'type', 'veth'].concat([
        'peer',
        'name',
        'eth0',
        'netns',
        home,
      ]),
    )
    batch(this.#router, [
      `addr add ${subnet(member)}.1/24 dev ${port(member)}`,
      `link set ${port(member)} up`,
    ])
    batch(home, [
      'link set lo up',
      `addr add ${subnet(member)}.2/24 dev eth0`,
      'link set eth0 up',
      `route add default via ${subnet(member)}.1`,
    ])
  }

  #home(member: number): string {
    return `${this.#run}${member}`
  }

  #rule(rule: string): void {
    run(enter(this.#router, ['nft', rule]))
  }
}

const subnet = (member: number): string => `10.77.${member}`
const port = (member: number): string => `m${member}`
const set = (members: readonly number[]): string => `{ ${members.map(port).join(', ')} }`

/** Becomes the command: its pid is the one that was started. */
function enter(namespace: string, command: readonly string[]): readonly string[] {
  return ['nsenter', `--net=/run/netns/${namespace}`, '--', ...command]
}

/** Of benches that were killed. */
function removeLeftOvers(): void {
  for (const name of namespaces()) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) ip(['netns', 'delete', name])
  }
}

function namespaces(): readonly string[] {
  return ip(['netns', 'list'])
    .split('\n')
    .flatMap((line) => line.split(' ')[0] || [])
}

function batch(namespace: string, lines: readonly string[]): void {
  run(['ip', '-n', namespace, '-batch', '-'], `${lines.join('\n')}\n`)
}

function ip(args: readonly string[]): string {
  return run(['ip', ...args])
}

function run([program = '', ...args]: readonly string[], input = ''): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', input })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${stderr}`)
  return stdout
}

function works(program: string, argument: string): boolean {
  return spawnSync(program, [argument]).status === 0
}

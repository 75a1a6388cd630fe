/**
 * A cluster of real daemons on this machine: formed, disturbed, recorded.
 *
 * The daemons are `n1`, `n2` … ; `n1` founds, the others come by its invite.
 * Each has its data directory and its log in one temporary folder, and on demand
 * a network namespace. They end with this process, however it ends.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { P2pdError } from '../../lib/wire/errors.ts'
import { Groups } from './groups.ts'
import { LockCommand } from './lock-command.ts'
import { LockLog } from './lock-log.ts'
import { assertMoved, type Member, newMember, successor } from './member.ts'
import { Network } from './network.ts'
import type { Family } from './network-tools.ts'
import { freePort, wipe } from './places.ts'
import { DaemonProcess, describeExit, type Exit } from './process.ts'
import { Reaper } from './reaper.ts'
import { Recorder } from './recorder.ts'

export interface ClusterOptions {
  readonly peers: number
  readonly profile: string
  /** Whether each peer has a network namespace of its own. */
  readonly network?: boolean
  /** Of the addresses at which peers listen: IPv4, or IPv6 and no other. */
  readonly family?: Family
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}

/** A start keeps a core busy for most of a second: with more at once those that run already would starve. */
export const startsAtOnce = Math.max(2, availableParallelism())
/** Of one start, ms: generous, since five start at once on a small machine. */
const readyWithinMs = 60_000
/** After SIGTERM, ms; the daemon promises 5 s. */
const stopWithinMs = 6000

const loopback: Readonly<Record<Family, string>> = { ip4: '127.0.0.1', ip6: '::1' }

/** The compiled `p2pd`. */
export const program = fileURLToPath(new URL('../../bin/p2pd.js', import.meta.url))

export class Cluster {
  readonly folder: string
  readonly recorder = new Recorder()
  readonly groups = new Groups(this.recorder)
  readonly locks = new LockLog(this.recorder)
  readonly members: Member[]
  /** Daemons that ended unasked, in words. */
  readonly crashes: string[] = []
  readonly #options: ClusterOptions
  readonly #reaper = Reaper.start()
  readonly #strangers: DaemonProcess[] = []
  readonly #commands = new Set<LockCommand>()
  #network: Network | undefined
  #invites = 0
  #closed = false

  private constructor(folder: string, options: ClusterOptions) {
    this.folder = folder
    this.#options = options
    this.members = Array.from({ length: options.peers }, (_, index) => newMember(folder, `n${index + 1}`))
  }

  /** Throws ERR_TESTNET_NETWORK where the peers cannot have a network of their own. */
  static async create(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(await mkdtemp(join(tmpdir(), 'p2pd-testnet-')), options)
    if (!options.network) return cluster
    try {
      const places = cluster.members.map(({ place }) => place)
      cluster.#network = await Network.create(places, cluster.#reaper, cluster.#family)
      return cluster
    } catch (error) {
      await cluster.close()
      await cluster.removeFolder()
      throw error
    }
  }

  /** By its place, or by its present name. */
  member(name: string): Member {
    const member = this.members.find((candidate) => candidate.place === name || candidate.name === name)
    if (member === undefined) {
      throw new P2pdError('ERR_SCENARIO', `there is no peer '${name}' in this testnet`, {
        hint: `its peers are n1 to n${this.members.length}`,
      })
    }
    return member
  }

  /** Those whose process runs and was not told to end. */
  running(): readonly Member[] {
    return this.members.filter(({ process, expected }) => process?.running && !expected)
  }

  /** Starts everybody: the founder first, then the others, a few at once. Gives each one's time to ready, ms. */
  async found(): Promise<readonly number[]> {
    const [founder, ...others] = this.members
    if (founder === undefined) return []
    const first = await this.start(founder.name)
    const invite = await this.#invite()
    const readyMs = [first]
    const waiting = [...others]
    const startInTurn = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        readyMs.push(await this.start(next.name, invite))
      }
    }
    await Promise.all(Array.from({ length: startsAtOnce }, startInTurn))
    return readyMs
  }

  /** Starts a peer on its data directory and waits until it is ready. Gives the time that took, ms. */
  async start(place: string, args: readonly string[] = []): Promise<number> {
    const member = this.member(place)
    const { name } = member
    const { recorder } = this
    const forgetful = member.wiped && member.lives > 0 ? { forgetful: true } : {}
    const flags = [...(await this.#startFlags(member)), ...args]
    await this.#network?.unsilence(member.place)
    member.lives++
    member.expected = false
    member.flags = []
    member.wiped = false
    const startedAt = recorder.now()
    recorder.record({ type: 'started', peer: name, life: member.lives, ...forgetful })
    member.process = this.#spawn(member, flags)
    this.#watch(member, member.process)
    await member.process.ready(readyWithinMs, this.#options.signal)
    const readyAt = recorder.now()
    recorder.record({ type: 'ready', peer: name })
    const { peerId, generation, addresses } = await member.client.status({ signal: this.#options.signal })
    member.previousGeneration = member.generation
    member.generation = generation
    assertMoved(member, addresses)
    recorder.introduce(peerId, name)
    await recorder.follow(name, member.client)
    await this.groups.return(member)
    return readyAt - startedAt
  }

  /** SIGKILL. */
  async kill(place: string): Promise<void> {
    const { name } = this.member(place)
    const process = this.#runningProcess(name)
    this.#expect(name)
    this.recorder.record({ type: 'killed', peer: name })
    this.#unread(name)
    process.kill('SIGKILL')
    await process.exited
  }

  /** SIGKILL, after which nobody hears of it: its network is gone before. */
  async silence(place: string): Promise<void> {
    const { name } = this.member(place)
    const process = this.#runningProcess(name)
    this.#expect(name)
    this.recorder.record({ type: 'killed', peer: name })
    this.#unread(name)
    await this.#ownNetwork().silence(place)
    process.kill('SIGKILL')
    await process.exited
  }

  /** SIGTERM: keeps its membership. Gives how long it took to end, ms. */
  async stop(place: string): Promise<number> {
    const { name } = this.member(place)
    const process = this.#runningProcess(name)
    this.#expect(name)
    this.recorder.record({ type: 'stopped', peer: name })
    this.#unread(name)
    process.kill('SIGTERM')
    return await this.#awaitEnd(name, process)
  }

  /** Gives up its membership. Gives how long it took to end, ms. */
  async leave(place: string): Promise<number> {
    const { name } = this.member(place)
    const process = this.#runningProcess(name)
    this.#expect(name)
    this.recorder.record({ type: 'left', peer: name })
    this.#unread(name)
    await this.member(name).client.leave({ signal: this.#options.signal })
    return await this.#awaitEnd(name, process)
  }

  pause(place: string): void {
    const { name } = this.member(place)
    const process = this.#runningProcess(name)
    this.recorder.record({ type: 'paused', peer: name })
    process.kill('SIGSTOP')
  }

  resume(place: string): void {
    const { name } = this.member(place)
    const process = this.#runningProcess(name)
    process.kill('SIGCONT')
    this.recorder.record({ type: 'resumed', peer: name })
  }

  /** Removes what a peer that does not run has on its disk, all of it or all but its key. */
  async wipe(place: string, keep?: 'key'): Promise<void> {
    const member = this.#endedMember(place)
    await wipe(member.dataDir, keep)
    member.wiped = true
    if (keep === 'key') return
    // Who has no key is somebody else, whatever it is called.
    this.members[this.members.indexOf(member)] = successor(this.folder, member)
  }

  /** The next start of a peer that does not run is at another address. */
  async readdress(place: string): Promise<void> {
    const member = this.#endedMember(place)
    const row = this.running().map(({ name }) => this.recorder.row(name, member.name))[0]
    member.left = row?.addresses ?? []
    if (this.#network !== undefined) await this.#network.move(member.place)
    member.flags = [
      '--listen',
      this.#listenAddress(member, this.#network ? 0 : await freePort(loopback[this.#family])),
    ]
  }

  /** From now on no bytes pass from any of `from` to any of `to`, and with `both` none back either. */
  async cut(from: readonly string[], to: readonly string[], ways: 'one' | 'both'): Promise<void> {
    const network = this.#ownNetwork()
    const there = [from, to] as const
    const directions = ways === 'both' ? [there, [to, from] as const] : [there]
    for (const [senders, takers] of directions) {
      this.recorder.record({ type: 'cut', from: this.#namesOf(senders), to: this.#namesOf(takers) })
      await network.cut(senders, takers)
    }
  }

  /** From now on each packet is lost with this chance. */
  async lose(percent: number): Promise<void> {
    this.recorder.record({ type: 'degraded' })
    await this.#ownNetwork().lose(percent)
  }

  /** Ends cuts and losses; gives how many packets fell to the last of them. */
  async mend(): Promise<number> {
    const network = this.#ownNetwork()
    const lost = await network.dropped()
    this.recorder.record({ type: 'healed' })
    await network.mend()
    return lost
  }

  /**
   * Starts a daemon of another cluster, with a secret of its own, which is no
   * member and is not recorded; it ends with the cluster.
   */
  async startStranger(name: string): Promise<Member> {
    const stranger = newMember(this.folder, name)
    const args = ['--name', name, '--listen', this.#listenAddress(stranger, 0), '--cluster', name]
    stranger.process = this.#spawn(stranger, args)
    this.#strangers.push(stranger.process)
    await stranger.process.ready(readyWithinMs, this.#options.signal)
    return stranger
  }

  /** Runs a command of `p2pd`; it ends with the cluster at the latest. */
  readonly command = (args: readonly string[]): LockCommand => {
    const env = withoutOwnVariables(this.#options.env)
    const command = LockCommand.start({ program, args, env, reaper: this.#reaper })
    this.#commands.add(command)
    void command.ended.then(() => this.#commands.delete(command))
    return command
  }

  /**
   * Waits until `missing` finds nothing missing. Throws ERR_TESTNET with what it
   * last found after `withinMs`, or when a daemon crashes.
   */
  async until(missing: () => string | undefined, withinMs: number): Promise<void> {
    const deadline = this.recorder.now() + withinMs
    for (;;) {
      this.check()
      const found = missing()
      if (found === undefined) return
      const leftMs = deadline - this.recorder.now()
      if (leftMs <= 0) throw new P2pdError('ERR_TESTNET', `after ${withinMs} ms ${found}`)
      // At least ten looks a second, for the signal and for crashes.
      await this.recorder.changed(Math.min(leftMs, 100))
    }
  }

  /** Lets the cluster be for `forMs`. */
  async watch(forMs: number): Promise<void> {
    const end = this.recorder.now() + forMs
    while (this.recorder.now() < end) {
      this.check()
      await this.recorder.changed(Math.min(end - this.recorder.now(), 100))
    }
  }

  /** Throws when a daemon has crashed, or the run is interrupted. */
  check(): void {
    this.#options.signal.throwIfAborted()
    const crash = this.crashes[0]
    if (crash !== undefined) throw new P2pdError('ERR_TESTNET', crash)
  }

  /** Ends every daemon: politely, and by SIGKILL after the time that they promise to need. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.recorder.close()
    this.groups.close()
    for (const command of this.#commands) command.kill()
    const processes = [...this.members.flatMap(({ process }) => process ?? []), ...this.#strangers]
    await Promise.all(
      processes.map(async (process) => {
        if (!process.running) return
        process.kill('SIGCONT')
        process.kill('SIGTERM')
        if ((await process.ended(stopWithinMs, new AbortController().signal)) !== undefined) return
        process.kill('SIGKILL')
        await process.exited
      }),
    )
    this.#network?.close()
    await this.#reaper.close()
  }

  async removeFolder(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }

  /** What its data directory does not tell it. */
  async #startFlags(member: Member): Promise<readonly string[]> {
    const isNew = member.lives === 0 || member.wiped
    const named = isNew ? ['--name', member.place] : []
    const listens = isNew && member.flags.length === 0 ? ['--listen', this.#listenAddress(member, 0)] : []
    const invited = member.wiped ? await this.#invite() : []
    return [...named, ...listens, ...member.flags, ...invited]
  }

  #listenAddress({ place }: Member, port: number): string {
    const family = this.#family
    return `/${family}/${this.#network?.addressOf(place) ?? loopback[family]}/tcp/${port}`
  }

  get #family(): Family {
    return this.#options.family ?? 'ip4'
  }

  /** Flags that let somebody in, from a peer that runs. */
  async #invite(): Promise<readonly string[]> {
    const [host] = this.running()
    if (host === undefined) throw new P2pdError('ERR_SCENARIO', 'nobody runs who could invite')
    const path = join(this.folder, `invite-${++this.#invites}`)
    const { invite } = await host.client.invite({ signal: this.#options.signal })
    await writeFile(path, `${invite}\n`, { mode: 0o600, flag: 'wx' })
    return ['--invite', path]
  }

  #spawn({ name, place, dataDir, logPath }: Member, args: readonly string[]): DaemonProcess {
    const { profile, env } = this.#options
    return DaemonProcess.start({
      name,
      ...(this.#network === undefined ? {} : { enter: this.#network.enter(place) }),
      program,
      args: ['--data', dataDir, '--profile', profile, '--json', ...args],
      logPath,
      env: withoutOwnVariables(env),
      reaper: this.#reaper,
    })
  }

  /** An end that nobody asked for is a crash, and ends the run. */
  #watch(member: Member, process: DaemonProcess): void {
    void process.exited.then((exit: Exit) => {
      if (this.#closed || member.expected || member.process !== process) return
      member.expected = true
      this.crashes.push(`${member.name} ended by itself (${describeExit(exit)}): ${process.lastWords()}`)
      this.#unread(member.name)
      this.recorder.record({ type: 'killed', peer: member.name })
    })
  }

  /** Nothing that it says counts any more. */
  #unread(name: string): void {
    this.recorder.unfollow(name)
    this.groups.end(name)
    this.locks.gone(name, this.member(name).lives)
  }

  #expect(name: string): void {
    this.member(name).expected = true
  }

  #runningProcess(name: string): DaemonProcess {
    const { process } = this.member(name)
    if (process?.running) return process
    throw new P2pdError('ERR_SCENARIO', `'${name}' does not run at this step`)
  }

  #endedMember(place: string): Member {
    const member = this.member(place)
    if (!member.process?.running) return member
    throw new P2pdError('ERR_SCENARIO', `'${place}' still runs at this step`, {
      hint: 'stop or kill it first',
    })
  }

  #namesOf(places: readonly string[]): readonly string[] {
    return places.map((place) => this.member(place).name)
  }

  #ownNetwork(): Network {
    if (this.#network !== undefined) return this.#network
    throw new P2pdError('ERR_SCENARIO', 'this testnet has no network of its own')
  }

  async #awaitEnd(name: string, process: DaemonProcess): Promise<number> {
    const askedAt = this.recorder.now()
    const exit = await process.ended(stopWithinMs, this.#options.signal)
    if (exit === undefined) {
      throw new P2pdError('ERR_TESTNET', `${name} was told to end and still runs after ${stopWithinMs} ms`)
    }
    if (exit.code !== 0) {
      throw new P2pdError('ERR_TESTNET', `${name} was told to end and failed (${describeExit(exit)})`)
    }
    return this.recorder.now() - askedAt
  }
}

/** The daemons are told everything by flags: what is meant for another daemon must not reach them. */
function withoutOwnVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('P2PD_')))
}

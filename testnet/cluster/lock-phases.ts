/**
 * A lock that everybody contends for, and what its promises are worth: first all
 * enter again and again, then its holder is killed, then a voter, then so many
 * voters that no quorum is left, and then they return.
 */
import { LockClient } from '../../daemon/client/lock-client.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { jainIndex } from '../../plugins/mutex/checker/figures.ts'
import { type Cluster, startsAtOnce } from './cluster.ts'
import { Contention } from './contention.ts'
import { type Electorate, quorumOf, settledElectorate } from './electorate.ts'
import { Ledger } from './ledger.ts'
import type { CommandEnd } from './lock-command.ts'
import type { Visit } from './lock-log.ts'
import { type Door, visitByCommand, visitOnce } from './lock-visits.ts'
import type { Member } from './member.ts'
import { type Phase, type PhaseListener, seconds, whole } from './phase.ts'
import type { Deed } from './scenario.ts'

export type LockDeed = Extract<Deed, { do: 'lock' }>

/** A command is a process and a daemon's client: more of them at once would only be slow. */
const maxCommands = 5
/** How long the others go on after a voter was killed, ms. */
const afterVoterMs = 700
/** The exit codes of `p2pd lock`. */
const exitCode = { noQuorum: 5, lost: 7 } as const

/** Throws ERR_TESTNET when something does not come to pass within its time. */
export async function runLock(cluster: Cluster, deed: LockDeed, listener: PhaseListener): Promise<void> {
  const { locks, recorder, folder } = cluster
  const ledger = await Ledger.open(folder, deed.lock, locks, recorder)
  try {
    const phases = new LockPhases(cluster, deed, { lock: deed.lock, leaseMs: deed.leaseMs, ledger }, listener)
    listener.end(await phases.elect())
    listener.end(await phases.contend())
    listener.end(await phases.command())
    for (const who of deed.lose) {
      if (who === 'holder') listener.end(await phases.loseHolder())
      else if (who === 'stalled-holder') listener.end(await phases.stallHolder())
      else if (who === 'voter') listener.end(await phases.loseVoter())
      else listener.end(await phases.loseQuorum())
    }
    if (deed.lose.length > 0) listener.end(await phases.comeBack())
  } finally {
    await ledger.close()
  }
}

class LockPhases {
  readonly #cluster: Cluster
  readonly #deed: LockDeed
  readonly #door: Door
  readonly #listener: PhaseListener
  readonly #killed: string[] = []
  #electorate: Electorate = { version: 0, voters: [] }

  constructor(cluster: Cluster, deed: LockDeed, door: Door, listener: PhaseListener) {
    this.#cluster = cluster
    this.#deed = deed
    this.#door = door
    this.#listener = listener
  }

  async elect(): Promise<Phase> {
    this.#listener.begin('waiting until enough peers vote on locks')
    const beganAt = this.#now()
    this.#electorate = await this.#settled()
    const { version, voters } = this.#electorate
    const electedMs = this.#now() - beganAt
    return {
      phase: 'elect',
      text: `${voters.length} voters decide on locks, in version ${version} of their electorate`,
      figures: { voters: voters.length, version, electedMs },
    }
  }

  async contend(): Promise<Phase> {
    const running = this.#cluster.running()
    this.#listener.begin('everybody wants the lock')
    const beganAt = this.#now()
    const contention = new Contention(this.#cluster, this.#door, running)
    await this.#during(contention, async () => {
      await this.#cluster.watch(this.#deed.forMs)
      await this.#stop(contention)
    })
    const tookMs = this.#now() - beganAt
    const visits = this.#cluster.locks.enteredSince(beganAt)
    const longestWaitMs = Math.max(...visits.map(waitMs))
    const jain = jainIndex([...countByPeer(visits).values()]) ?? 1
    const entered = `${visits.length} entries from ${running.length} peers in ${seconds(tookMs)}`
    const fair = `longest wait ${whole(longestWaitMs)}, Jain's index ${jain.toFixed(3)}`
    return {
      phase: 'contend',
      text: `${entered}: ${fair}`,
      summary: ['lock', `${entered}: ${fair}`],
      figures: { peers: running.length, entries: visits.length, tookMs, longestWaitMs, jain },
    }
  }

  /** As people do it: `p2pd lock … -- COMMAND`, at several peers at once. */
  async command(): Promise<Phase> {
    const beganAt = this.#now()
    const members = this.#cluster.running().slice(0, maxCommands)
    this.#listener.begin(`${members.length} commands want the lock`)
    const commands = members.map((member) => visitByCommand(this.#cluster, member, this.#door, 0))
    for (const { visit, ended } of commands) {
      const end = await this.#come('a command under the lock goes on', ended)
      // On a machine that stalls for as long as a lease a lock is lost by right.
      if (end.code !== exitCode.lost) this.#expectExit(visit, end, 0)
    }
    const tookMs = this.#now() - beganAt
    const what = `${members.length} commands under the lock, one at a time, within ${seconds(tookMs)}`
    return { phase: 'command', text: what, figures: { commands: members.length, tookMs } }
  }

  async loseHolder(): Promise<Phase> {
    const { leaseMs } = this.#deed
    const { holder, nextMs, commandMs } = await this.#takeFromHolder('killed', (member) => this.#kill(member))
    const times = `the next holder came ${whole(nextMs)} later, with a lease of ${whole(leaseMs)}`
    return {
      phase: 'lose-holder',
      peer: holder,
      text: `${holder} killed with SIGKILL while its command held the lock: ${times}`,
      summary: ['holder lost', `${times}; its command wrote for ${whole(commandMs)}`],
      figures: { leaseMs, nextMs, commandMs },
    }
  }

  /** A daemon that is stopped cannot end the command of a lock that it loses: the command's client must. */
  async stallHolder(): Promise<Phase> {
    const { leaseMs } = this.#deed
    const stall = async ({ name }: Member): Promise<void> => this.#cluster.pause(name)
    const { holder, nextMs, commandMs } = await this.#takeFromHolder('stopped', stall)
    this.#cluster.resume(holder)
    this.#electorate = await this.#settled()
    const times = `its command was ended after ${whole(commandMs)}, the next holder came after ${whole(nextMs)}`
    return {
      phase: 'stall-holder',
      peer: holder,
      text: `${holder} stopped with SIGSTOP while its command held the lock: ${times}`,
      summary: ['holder stalled', times],
      figures: { leaseMs, nextMs, commandMs },
    }
  }

  /** A command of a voter holds the lock and everybody else waits for it, until the holder is taken away. */
  async #takeFromHolder(what: string, take: (holder: Member) => Promise<void>) {
    await this.#spare()
    const holder = this.#victim('first')
    this.#listener.begin(`${holder.name} holds the lock, and is ${what}`)
    const { visit, ended } = visitByCommand(this.#cluster, holder, this.#door, 'forever')
    await this.#until(() => (visit.enteredAt === undefined ? 'the command is not in' : undefined))
    const others = this.#cluster.running().filter((member) => member !== holder)
    const contention = new Contention(this.#cluster, this.#door, others)
    return await this.#during(contention, async () => {
      await this.#queued(contention.callers, others)
      const takenAt = this.#now()
      await take(holder)
      await this.#untilAllEntered(contention, others, takenAt)
      await this.#stop(contention)
      this.#expectExit(visit, await this.#come('the client of a lost lock goes on', ended), exitCode.lost)
      await this.#until(() => (visit.leftAt === undefined ? 'its command goes on' : undefined))
      const next = this.#cluster.locks.enteredSince(takenAt)[0]
      return {
        holder: holder.name,
        nextMs: (next?.enteredAt ?? takenAt) - takenAt,
        commandMs: (visit.leftAt ?? takenAt) - takenAt,
      }
    })
  }

  /** One that nobody enters at: it is missed as a voter alone. */
  async loseVoter(): Promise<Phase> {
    await this.#spare()
    const voter = this.#victim('last')
    this.#listener.begin(`${voter.name}, a voter, is killed while the others contend`)
    const others = this.#cluster.running().filter((member) => member !== voter)
    const beganAt = this.#now()
    const contention = new Contention(this.#cluster, this.#door, others)
    return await this.#during(contention, async () => {
      await this.#untilAllEntered(contention, others, beganAt)
      const killedAt = this.#now()
      await this.#kill(voter)
      await this.#cluster.watch(afterVoterMs)
      const watchedAt = this.#now()
      await this.#stop(contention)
      const times = this.#cluster.locks.enteredSince(killedAt).map(({ enteredAt }) => enteredAt ?? 0)
      const longestGapMs = longestGap([killedAt, ...times, Math.max(watchedAt, ...times)])
      const went = `${times.length} entries since, the longest gap ${whole(longestGapMs)}`
      return {
        phase: 'lose-voter',
        peer: voter.name,
        text: `${voter.name}, a voter, killed with SIGKILL: ${went}`,
        summary: ['voter lost', went],
        figures: { entries: times.length, longestGapMs },
      }
    })
  }

  /** Whoever is left must be told, and must not enter. */
  async loseQuorum(): Promise<Phase> {
    const { locks } = this.#cluster
    this.#listener.begin('so many voters are killed that no quorum is left')
    while (this.#votersRunning() >= quorumOf(this.#electorate)) await this.#kill(this.#victim('last'))
    locks.quorum(false)
    const left = this.#cluster.running()
    this.#listener.begin(`${left.map(({ name }) => name).join(', ')} ask for the lock without a quorum`)
    const asked = [
      ...left.map((member) => this.#ask(member)),
      ...left.slice(0, maxCommands).map(async (member) => {
        const { visit, ended } = visitByCommand(this.#cluster, member, this.#door, 0)
        this.#expectExit(visit, await ended, exitCode.noQuorum)
        return visit
      }),
    ]
    const refused = await this.#come('who asks without a quorum is not answered', Promise.all(asked))
    const wrong = refused.find(({ outcome }) => outcome !== 'no-quorum')
    if (wrong !== undefined) {
      throw new P2pdError(
        'ERR_TESTNET',
        `${wrong.asker.peer} asked without a quorum and got: ${wrong.outcome}`,
      )
    }
    const refusedMs = Math.max(...refused.map(({ askedAt, answeredAt = 0 }) => answeredAt - askedAt))
    const told = `${left.length} left, all told ERR_NO_QUORUM (exit 5) within ${whole(refusedMs)}`
    const voters = `${this.#electorate.voters.length - this.#votersRunning()} of ${this.#electorate.voters.length} voters killed`
    return {
      phase: 'lose-quorum',
      text: `${voters}: ${told}`,
      summary: ['quorum lost', told],
      figures: { peers: left.length, refusedMs },
    }
  }

  async comeBack(): Promise<Phase> {
    this.#listener.begin(`${this.#killed.join(', ')} return`)
    const returned = await this.#revive()
    const everybody = this.#cluster.running()
    const beganAt = this.#now()
    this.#listener.begin('everybody enters once more')
    const entering = Promise.all(everybody.map((member) => this.#enter(member)))
    const visits = await this.#come('not everybody has entered', entering)
    const enteredMs = Math.max(...visits.map(({ enteredAt = 0 }) => enteredAt)) - beganAt
    const all = `all ${everybody.length} peers entered once more within ${whole(enteredMs)}`
    return {
      phase: 'come-back',
      text: `${returned.join(', ')} returned: ${all}`,
      summary: ['all back', all],
      figures: { peers: everybody.length, enteredMs },
    }
  }

  async #ask(member: Member): Promise<Visit> {
    return (await this.#visit(member)).visit
  }

  async #enter(member: Member): Promise<Visit> {
    const { visit, error } = await this.#visit(member)
    if (error === undefined) return visit
    const what = error instanceof P2pdError ? `${error.code}: ${error.message}` : String(error)
    throw new P2pdError('ERR_TESTNET', `${member.name} could not enter ${this.#door.lock} (${what})`)
  }

  #visit(member: Member): ReturnType<typeof visitOnce> {
    const over = AbortSignal.timeout(this.#deed.withinMs)
    return visitOnce(this.#cluster, member, this.#door, `caller at ${member.name}`, over)
  }

  /** One more voter may be lost, and the others still are a quorum. */
  async #spare(): Promise<void> {
    if (this.#votersRunning() > quorumOf(this.#electorate)) return
    this.#listener.begin(`${this.#killed.join(', ')} return first`)
    await this.#revive()
  }

  async #revive(): Promise<readonly string[]> {
    const names = this.#killed.splice(0)
    const waiting = [...names]
    this.#cluster.locks.quorum(true)
    const inTurn = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
        await this.#cluster.start(next)
    }
    await Promise.all(Array.from({ length: startsAtOnce }, inTurn))
    this.#electorate = await this.#settled()
    return names
  }

  async #kill({ name }: Member): Promise<void> {
    await this.#cluster.kill(name)
    this.#killed.push(name)
  }

  /** A voter that runs. */
  #victim(which: 'first' | 'last'): Member {
    const voters = this.#cluster.running().filter(({ name }) => this.#electorate.voters.includes(name))
    const victim = voters.at(which === 'first' ? 0 : -1)
    if (victim === undefined) throw new P2pdError('ERR_TESTNET', 'no voter runs')
    return victim
  }

  #votersRunning(): number {
    return this.#cluster.running().filter(({ name }) => this.#electorate.voters.includes(name)).length
  }

  async #settled(): Promise<Electorate> {
    const electorate = await settledElectorate(this.#cluster, this.#deed.withinMs)
    this.#cluster.locks.voters(electorate.version, electorate.voters)
    return electorate
  }

  /** Waits until the voters have so many requests in their queues. */
  async #queued(requests: number, [member]: readonly Member[]): Promise<void> {
    if (member === undefined) return
    const client = LockClient.open(member.dataDir)
    const deadline = this.#now() + this.#deed.withinMs
    for (;;) {
      this.#cluster.check()
      const { locks } = await client.locks(this.#door.lock)
      const waiters = locks[0]?.waiters.length ?? 0
      if (waiters >= Math.min(requests, 64)) return
      if (this.#now() > deadline)
        throw new P2pdError('ERR_TESTNET', `${waiters} of ${requests} requests wait`)
      await this.#cluster.recorder.changed(20)
    }
  }

  async #untilAllEntered(contention: Contention, members: readonly Member[], since: number): Promise<void> {
    await this.#until(() => {
      contention.check()
      const entered = countByPeer(this.#cluster.locks.enteredSince(since))
      const missing = members.find(({ name }) => !entered.has(name))
      return missing === undefined ? undefined : `${missing.name} has not entered ${this.#door.lock}`
    })
  }

  async #stop(contention: Contention): Promise<void> {
    await this.#come('who waits for the lock is not served', contention.stop())
  }

  /** Waits for it as `until` does: not for ever, and not while the run is interrupted. */
  async #come<Value>(missing: string, promise: Promise<Value>): Promise<Value> {
    let settled = false
    const tell = (): void => {
      settled = true
      this.#cluster.recorder.wake()
    }
    void promise.then(tell, tell)
    await this.#until(() => (settled ? undefined : missing))
    return await promise
  }

  async #until(missing: () => string | undefined): Promise<void> {
    await this.#cluster.until(missing, this.#deed.withinMs)
  }

  #now(): number {
    return this.#cluster.recorder.now()
  }

  #expectExit({ asker: { peer } }: Visit, end: CommandEnd, expected: number): void {
    if (end.code === expected) return
    const how = `exit ${end.code ?? end.signal}${end.error === undefined ? '' : `, ${end.error}`}`
    throw new P2pdError(
      'ERR_TESTNET',
      `the command under the lock at ${peer} ended with ${how}, not ${expected}`,
    )
  }

  async #during<Value>(contention: Contention, run: () => Promise<Value>): Promise<Value> {
    try {
      return await run()
    } catch (error) {
      await contention.abandon()
      throw error
    }
  }
}

function waitMs({ askedAt, enteredAt = askedAt }: Visit): number {
  return enteredAt - askedAt
}

function longestGap(times: readonly number[]): number {
  return Math.max(...times.map((at, index) => at - (times[index - 1] ?? at)))
}

function countByPeer(visits: readonly Visit[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { asker } of visits) counts.set(asker.peer, 1 + (counts.get(asker.peer) ?? 0))
  return counts
}

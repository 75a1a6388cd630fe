/** Questions of people: which locks are held, and who waits, as the voters say together. */
import type { PeerId } from '../../../../lib/protocols/core.ts'
import type { Electorate } from '../electorate/messages.ts'
import type { ArbiterLock, LockView, PeerItem } from '../messages.ts'
import type { LockContext } from './lock-context.ts'
import { keyOf, type RequestKey } from './order.ts'

/** A voter that has not answered by then is not waited for. */
const patienceMs = 1000
/** Once a quorum has answered, the others have so long. */
const graceMs = 100
/** Questions under way; more wait for nobody. */
const maxQuestions = 64

interface Question {
  readonly electorate: Electorate
  readonly asked: ReadonlySet<PeerId>
  readonly answers: Map<PeerId, readonly ArbiterLock[]>
}

export interface InspectionPorts {
  electorate(): Electorate | undefined
  send(to: PeerId, item: PeerItem): void
  /** What the own arbiter says; undefined when this peer does not vote. */
  own(lock: string | undefined): readonly ArbiterLock[] | undefined
}

export class Inspection {
  readonly #context: LockContext
  readonly #ports: InspectionPorts
  readonly #questions = new Map<number, Question>()

  constructor(context: LockContext, ports: InspectionPorts) {
    this.#context = context
    this.#ports = ports
  }

  ask(token: number, lock: string | undefined): void {
    const electorate = this.#ports.electorate()
    if (electorate === undefined || this.#questions.size >= maxQuestions) {
      this.#context.emit({ type: 'inspected', token, locks: [], complete: false })
      return
    }
    const { self } = this.#context
    const asked = electorate.voters.filter((voter) => voter === self || this.#context.isConnected(voter))
    const question: Question = { electorate, asked: new Set(asked), answers: new Map() }
    this.#questions.set(token, question)
    this.#context.schedule(`inspect:${token}`, this.#context.now + patienceMs, () => this.#end(token))
    for (const voter of asked) {
      if (voter !== self) this.#ports.send(voter, { type: 'inspect', token, lock })
    }
    const own = electorate.voters.includes(self) ? this.#ports.own(lock) : undefined
    if (own !== undefined) this.answered(self, token, own)
    else if (asked.length === 0) this.#end(token)
  }

  answered(from: PeerId, token: number, locks: readonly ArbiterLock[]): void {
    const question = this.#questions.get(token)
    if (question === undefined || !question.asked.has(from)) return
    question.answers.set(from, locks)
    if (question.answers.size === question.asked.size) {
      this.#end(token)
    } else if (this.#isComplete(question)) {
      this.#context.scheduleAtLatest(`inspect:${token}`, this.#context.now + graceMs, () => this.#end(token))
    }
  }

  #end(token: number): void {
    const question = this.#questions.get(token)
    if (question === undefined) return
    this.#questions.delete(token)
    this.#context.cancel(`inspect:${token}`)
    const names = new Set([...question.answers.values()].flatMap((locks) => locks.map(({ lock }) => lock)))
    const locks = [...names].sort().map((lock) => this.#view(question, lock))
    this.#context.emit({ type: 'inspected', token, locks, complete: this.#isComplete(question) })
  }

  #isComplete(question: Question): boolean {
    return this.#isQuorum(question, [...question.answers.keys()])
  }

  #isQuorum({ electorate }: Question, members: readonly PeerId[]): boolean {
    const set = new Set(members)
    return this.#context.units.isQuorum(electorate.voters, set, set)
  }

  #view(question: Question, lock: string): LockView {
    const rows = [...question.answers].flatMap(([voter, locks]) =>
      locks.filter((row) => row.lock === lock).map((row) => ({ voter, row })),
    )
    const byRequest = new Map<RequestKey, (typeof rows)[number][]>()
    for (const vote of rows) {
      if (vote.row.request === undefined) continue
      const key = keyOf(vote.row.request)
      byRequest.set(key, [...(byRequest.get(key) ?? []), vote])
    }
    const silent = question.electorate.voters.filter((voter) => !question.answers.has(voter))
    // With those that did not answer: whoever cannot have a quorum does not hold it.
    const held = [...byRequest.values()].filter((votes) =>
      this.#isQuorum(question, [...votes.map(({ voter }) => voter), ...silent]),
    )
    const votes = held.length === 1 ? (held[0] ?? []) : []
    const levels = votes.map(({ row }) => row.token).sort((a, b) => a - b)
    const waiters = rows.map(({ row }) => row.waiters).sort((a, b) => b.length - a.length)[0] ?? []
    return {
      lock,
      holder: votes[0]?.row.request?.peer,
      // What most agree on is what it entered with; a voter that was ahead proposed more.
      token: levels[Math.floor((levels.length - 1) / 2)] ?? 0,
      expiresInMs: Math.max(0, ...rows.map(({ row }) => row.expiresInMs)),
      waiters,
    }
  }
}

import type { Crypto } from '../../../lib/protocols/core.ts'
import { compareDots, dotText, entryKey, toHex } from '../../../lib/protocols/multicast/dots.ts'
import { encodeEnvelope, openEnvelope, sealEnvelope } from '../../../lib/protocols/multicast/envelope.ts'
import { multicastLimits } from '../../../lib/protocols/multicast/limits.ts'
import type { AuthorKey, DotKey, Envelope, Header } from '../../../lib/protocols/multicast/messages.ts'
import type { Random } from '../random.ts'
import { clusterId, type GroupCluster } from './group-cluster.ts'
import { isUp, type Life } from './group-host.ts'

/** Where a made-up log of this author stands. */
interface Branch {
  readonly epoch: number
  readonly seq: number
  readonly previous: string | undefined
  readonly lamport: number
  /** No honest member may deliver what comes after it. */
  readonly forbidden: string | undefined
}

type Draft = Omit<Header, 'sizes' | 'payloadsHash'>

const mostRounds = 14
const floodEnvelopes = multicastLimits.aheadPerAuthor + 100
/** Faster than any honest hop, ms. */
const hasteMs = 0.05

/** A byzantine author. Its honest core publishes nothing; this makes up envelopes in epochs that core never had. */
export class GroupLiar {
  readonly #cluster: GroupCluster
  readonly #life: Life
  readonly #random: Random
  readonly #crypto: Crypto
  readonly #branches = new Map<string, Branch[]>()
  #rounds = 0
  #epochs = 0

  constructor(cluster: GroupCluster, life: Life) {
    this.#cluster = cluster
    this.#life = life
    this.#random = cluster.world.random.stream(`liar ${life.host.name} ${life.number}`)
    this.#crypto = cluster.crypto(life.host.peer)
  }

  /** One round of lies. */
  lie(): void {
    const { lie } = this.#life.host
    if (!this.#life.process.alive || this.#life.epoch === 0 || this.#rounds++ >= mostRounds) return
    const name = this.#random.pick([...this.#life.host.wanted])
    if (!this.#life.groups.includes(name)) return
    switch (lie) {
      case 'equivocates':
        return this.#equivocate(name)
      case 'breaks-chains':
        return this.#breakChain(name)
      case 'wrong-lamport':
        return this.#mistime(name)
      case 'spams-dependencies':
        return this.#spam(name)
      case 'floods-ahead':
        return this.#flood(name)
      case 'replays':
        for (let i = 0; i < 10; i++) this.#cluster.gossip.replay(this.#life)
        return
      case 'forges':
        return this.#impersonate(name)
      case undefined:
        return
      default:
        lie satisfies never
    }
  }

  /** Somebody else's envelope is about to leave: copies of it, damaged, hurry ahead. */
  forge(group: string, bytes: Uint8Array): void {
    if (!this.#life.process.alive) return
    const { sha256 } = this.#crypto
    const envelope = openEnvelope(bytes, sha256)
    const signature = envelope.signature.slice()
    signature[0] = (signature[0] ?? 0) ^ 1
    const payloads = envelope.payloads.map((payload) => payload.map((byte) => byte ^ 1))
    const copies = [encodeEnvelope({ ...envelope, signature }), encodeEnvelope({ ...envelope, payloads })]
    for (const to of this.#others()) {
      this.#inject(to, group, this.#random.pick(copies), hasteMs)
      for (const name of this.#cluster.options.groups) {
        const other = this.#cluster.groupId(name)
        // The true one, under another topic.
        if (other !== group) this.#inject(to, other, bytes, hasteMs)
      }
    }
  }

  /** Two contents for a dot, to different halves; the log goes on from one of them, or from both. */
  #equivocate(name: string): void {
    const branches = this.#branchesOf(name)
    const branch = this.#random.pick(branches)
    const [first, second] = [
      this.#sealOn(name, branch),
      this.#sealOn(name, branch, this.#random.pick([1, 1, 3])),
    ]
    const others = this.#random.shuffled([...this.#others(), this.#life])
    const half = this.#random.whole(1, others.length - 1)
    for (const to of others.slice(0, half)) this.#show(to, name, first)
    if (this.#random.chance(0.6)) for (const to of others.slice(half)) this.#show(to, name, second)
    else this.#show(this.#random.pick(others), name, second)
    const next = [after(first, undefined), after(second, undefined)]
    // Now and then a new log, so that not all lies hang on one proof.
    if (this.#random.chance(0.2)) this.#branches.delete(name)
    else this.#branches.set(name, this.#random.chance(0.5) ? next : next.slice(0, 1))
    // One that follows what only half of them have.
    if (this.#random.chance(0.5)) this.#publish(name, this.#sealOn(name, after(first, undefined)))
  }

  /** A successor that names another predecessor, or an epoch that begins with a past it never had. */
  #breakChain(name: string): void {
    const branch = this.#random.pick(this.#branchesOf(name))
    const honest = this.#sealOn(name, branch)
    this.#publish(name, honest)
    const strange = toHex(this.#crypto.sha256(Uint8Array.of(this.#random.whole(0, 255))))
    const forbidden = 'it follows a message that never was'
    const broken = this.#sealOn(name, { ...after(honest, forbidden), previous: strange })
    this.#publish(name, broken)
    this.#branches.set(name, [this.#random.chance(0.5) ? after(broken, forbidden) : after(honest, undefined)])
    if (this.#random.chance(0.3)) this.#branches.delete(name)
  }

  #mistime(name: string): void {
    const branch = this.#random.pick(this.#branchesOf(name))
    if (branch.forbidden === undefined && this.#random.chance(0.5)) {
      const honest = this.#sealOn(name, branch)
      this.#publish(name, honest)
      this.#branches.set(name, [after(honest, undefined)])
      return
    }
    const draft = this.#draft(name, branch)
    const wrong = draft.lamport + this.#random.pick([1, 1, 1000, 2 ** 40, draft.lamport > 1 ? -1 : 1])
    const why = branch.forbidden ?? `its Lamport time is ${wrong}, not ${draft.lamport}`
    const envelope = this.#seal({ ...draft, lamport: wrong }, 1, why)
    this.#publish(name, envelope)
    this.#branches.set(name, [after(envelope, why)])
    if (this.#random.chance(0.3)) this.#branches.delete(name)
  }

  /** Names messages that never were, up to as many as are allowed. */
  #spam(name: string): void {
    for (let i = this.#random.whole(1, 4); i > 0; i--) {
      const branch = this.#random.pick(this.#branchesOf(name))
      const draft = this.#draft(name, branch)
      const count = this.#random.chance(0.05) ? multicastLimits.dependencies : this.#random.whole(1, 30)
      const dependencies = Array.from({ length: count }, (_, at) => this.#nobodys(at)).sort(compareDots)
      const why = 'it names messages that never were'
      const envelope = this.#seal({ ...draft, dependencies }, 1, why)
      this.#publish(name, envelope)
      this.#branches.set(name, [after(envelope, why)])
    }
  }

  /** Thousands of messages of a log whose first one nobody gets. */
  #flood(name: string): void {
    const to = this.#random.pick(this.#others())
    let branch: Branch = { ...this.#newBranch(), seq: 2, forbidden: 'its first message never was' }
    branch = { ...branch, previous: toHex(this.#crypto.sha256(Uint8Array.of(1))) }
    for (let i = 0; i < floodEnvelopes; i++) {
      const envelope = this.#seal(this.#draft(name, branch), 1, branch.forbidden)
      this.#show(to, name, envelope)
      branch = after(envelope, branch.forbidden)
    }
    this.#rounds = mostRounds
  }

  /** Own words in another's name, under the own key. */
  #impersonate(name: string): void {
    const victim = this.#random.pick(this.#others())
    const draft = this.#draft(name, this.#newBranch())
    const envelope = this.#seal({ ...draft, author: victim.host.peer, dependencies: [] }, 1, 'it is forged')
    this.#publish(name, envelope)
  }

  #nobodys(at: number): DotKey {
    const known = this.#random.chance(0.3)
    const author = known
      ? this.#random.pick(this.#cluster.hosts).key
      : (toHex(this.#crypto.sha256(Uint8Array.of(at, at >> 8, this.#rounds))).slice(0, 24) as AuthorKey)
    return { author, epoch: 1 + at, seq: this.#random.whole(1, 1000) }
  }

  #branchesOf(name: string): Branch[] {
    const known = this.#branches.get(name)
    if (known !== undefined) return known
    const branches = [this.#newBranch()]
    this.#branches.set(name, branches)
    return branches
  }

  #newBranch(): Branch {
    const epoch = this.#life.epoch + 1_000_000 * ++this.#epochs
    return { epoch, seq: 1, previous: undefined, lamport: 0, forbidden: undefined }
  }

  #sealOn(name: string, branch: Branch, payloads = 1): Envelope {
    return this.#seal(this.#draft(name, branch), payloads, branch.forbidden)
  }

  /** As an honest author would, on that branch. */
  #draft(name: string, branch: Branch): Draft {
    const { host, core } = this.#life
    const lamportOf = (dot: DotKey): number =>
      this.#cluster.lamports.get(`${name} ${entryKey(dot.author, dot.epoch)}:${dot.seq}`) ?? 0
    const own = (dot: DotKey): boolean => dot.author === host.key && dot.epoch === branch.epoch
    const dependencies = core.frontier(name).filter((dot) => !own(dot) && lamportOf(dot) > 0)
    const lamport = 1 + Math.max(branch.lamport, ...dependencies.map(lamportOf))
    return {
      cluster: clusterId,
      group: this.#cluster.groupId(name),
      author: host.peer,
      epoch: branch.epoch,
      seq: branch.seq,
      previous: branch.previous,
      lamport,
      hybrid: undefined,
      dependencies: [...dependencies].sort(compareDots),
      old: undefined,
    }
  }

  #seal(draft: Draft, payloads: number, forbidden: string | undefined): Envelope {
    const contents = Array.from({ length: payloads }, () =>
      new Uint8Array(8).map(() => this.#random.whole(0, 255)),
    )
    const envelope = sealEnvelope(draft, contents, this.#crypto)
    if (forbidden !== undefined) this.#cluster.truth.forbidden.set(envelope.hash, forbidden)
    this.#cluster.world.remark(
      () =>
        `${this.#life.host.name} makes up ${draft.epoch % 1_000_000_000}:${draft.seq} lamport ${draft.lamport} ` +
        `${envelope.hash.slice(0, 6)} after [${draft.dependencies.slice(0, 4).map(dotText).join(' ')}]`,
    )
    return envelope
  }

  #publish(name: string, envelope: Envelope): void {
    for (const to of [...this.#others(), this.#life]) this.#show(to, name, envelope)
  }

  #show(to: Life, name: string, envelope: Envelope): void {
    const { delayMinMs, delayMaxMs } = this.#cluster.options.gossip
    const delayMs = this.#random.between(delayMinMs, delayMaxMs)
    this.#inject(to, this.#cluster.groupId(name), encodeEnvelope(envelope), delayMs)
  }

  #inject(to: Life, group: string, bytes: Uint8Array, delayMs: number): void {
    this.#cluster.gossip.inject(this.#life, to, group, bytes, delayMs)
  }

  #others(): Life[] {
    return this.#cluster.hosts.flatMap((host) =>
      host !== this.#life.host && isUp(host) ? [host.present] : [],
    )
  }
}

function after(envelope: Envelope, forbidden: string | undefined): Branch {
  const { hash, last, lastLamport, header } = envelope
  return { epoch: header.epoch, seq: last + 1, previous: hash, lamport: lastLamport, forbidden }
}

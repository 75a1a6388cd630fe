import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { PeerId } from '../../../lib/protocols/core.ts'
import type {
  AnsweringItem,
  AskingItem,
  Frame,
  Listed,
  MutexMisbehaviour,
} from '../../../plugins/mutex/core/messages.ts'
import { decodeVotes, signVotes } from '../../../plugins/mutex/core/statements.ts'
import { eventually } from '../../support/eventually.ts'
import { removeTempDirs, tempDir } from '../../support/temp-dir.ts'
import { type LockPeer, quick, startPeer, startThree, stopPeers } from './cluster.ts'
import { answeringOf, askingOf, type HostileLocks, startHostileLocks } from './hostile-locks.ts'

const { leaseMs } = quick

describe('locks among which one peer is hostile', () => {
  const hostiles: HostileLocks[] = []

  afterEach(async () => {
    await Promise.all(hostiles.splice(0).map((hostile) => hostile.stop()))
    await stopPeers()
    await removeTempDirs()
  })

  const counted = (peer: LockPeer, reason: MutexMisbehaviour) =>
    peer.plugins.mutex.counters().misbehaved[reason] ?? 0
  const reachesAll = (hostile: HostileLocks, peers: readonly LockPeer[]) =>
    peers.every(({ peerId }) => hostile.reaches(peerId))
  const isServing = (hostile: HostileLocks) => hostile.core.view().self === 'serving'

  /** Two honest voters, and a hostile one. */
  async function withVoter(dataDir?: string): Promise<[LockPeer, LockPeer, HostileLocks]> {
    const a = await startPeer({ name: 'a', ...(dataDir === undefined ? {} : { dataDir }) }, { maxVoters: 3 })
    const b = await startPeer({ name: 'b', join: a.addresses })
    const hostile = await startHostileLocks(a)
    hostiles.push(hostile)
    await eventually('three voters', () =>
      [a, b].every(({ plugins }) => {
        const { voters, self } = plugins.mutex.electorate()
        return self === 'serving' && voters.some(({ peer }) => peer === hostile.id)
      }),
    )
    await eventually('the hostile voter', () => isServing(hostile) && reachesAll(hostile, [a, b]))
    return [a, b, hostile]
  }

  /** Three honest voters, and a hostile peer that does not vote. */
  async function withStranger(): Promise<[LockPeer, LockPeer, HostileLocks]> {
    const [a, b] = await startThree([], { maxVoters: 3 })
    const hostile = await startHostileLocks(a)
    hostiles.push(hostile)
    await eventually(
      'the electorate',
      () => hostile.core.view().voters.length === 3 && reachesAll(hostile, [a, b]),
    )
    return [a, b, hostile]
  }

  /** Exclusion and order still hold among honest peers, and each gets its turn. */
  async function goesOn(peers: readonly LockPeer[], rounds = 3): Promise<void> {
    let inside = 0
    let last = 0
    const enter = async (peer: LockPeer): Promise<void> => {
      for (let i = 0; i < rounds; i += 1) {
        const lock = await peer.plugins.mutex.acquire('common', { waitMs: 10_000 })
        inside += 1
        assert.equal(inside, 1)
        assert.ok(lock.token > last)
        last = lock.token
        await delay(1)
        inside -= 1
        await lock.release()
      }
    }
    await Promise.all(peers.map(enter))
  }

  let sessions = 0
  /** A frame that opens a session later than all, and asks at once. */
  function asking(hostile: HostileLocks, items: readonly AskingItem[], change: Partial<Frame> = {}): Frame {
    const { id, version } = hostile.core.view()
    sessions += 1
    return {
      id,
      version,
      clock: 1,
      stamp: undefined,
      asking: { session: { generation: 2 ** 42, counter: sessions }, seq: 1, ack: 0, items },
      answering: undefined,
      items: [],
      ...change,
    }
  }

  const sync = (hostile: HostileLocks): AskingItem => ({
    type: 'sync',
    version: hostile.core.view().version,
    requests: [],
  })

  let requests = 0
  function listed({ id }: { readonly id: PeerId }, change: Partial<Listed> = {}): Listed {
    requests += 1
    return {
      request: { peer: id, generation: 2 ** 42, counter: requests },
      lock: 'deploy',
      timestamp: 1,
      leaseMs,
      hint: 0,
      grant: undefined,
      token: 0,
      ...change,
    }
  }

  /** What `from` has answered to requests past the core. */
  const answers = (hostile: HostileLocks, from: LockPeer): readonly AnsweringItem[] =>
    hostile.heard
      .filter((heard) => heard.from === from.peerId)
      .flatMap(({ frame }) => (frame.answering?.session.generation === 2 ** 42 ? frame.answering.items : []))

  async function refused(
    hostile: HostileLocks,
    by: LockPeer,
    change: Partial<Listed>,
    reason: Extract<AnsweringItem, { readonly type: 'refused' }>['reason'],
  ): Promise<void> {
    hostile.listen = () => []
    const request = listed(hostile, change)
    hostile.send(by.peerId, asking(hostile, [sync(hostile), { type: 'request', request }]))
    const answer = await eventually(reason, () =>
      answers(hostile, by).find(
        (item) => item.type === 'refused' && item.request.counter === request.request.counter,
      ),
    )
    assert.ok(answer.type === 'refused' && answer.reason === reason)
    assert.equal(
      (await by.plugins.mutex.locks('deploy')).locks[0]?.waiters.includes(hostile.id) ?? false,
      false,
    )
  }

  const grantOf = (request: Listed['request'], change: object = {}): AnsweringItem => ({
    type: 'grant',
    vote: { request, grant: { generation: 1, counter: 1 } },
    proposal: 1000,
    clock: 1,
    leaseMs,
    base: 1,
    ...change,
  })

  /** Whether `voter` says that it votes for `holder`; asks again with each call. */
  function votesFor(hostile: HostileLocks, voter: LockPeer, holder: LockPeer): boolean {
    const { id, version } = hostile.core.view()
    const items = [{ type: 'inspect', token: 2 ** 40, lock: 'deploy' }] as const
    const nothing = { clock: 1, stamp: undefined, asking: undefined, answering: undefined }
    hostile.send(voter.peerId, { id, version, ...nothing, items })
    return hostile.heard
      .filter(({ from }) => from === voter.peerId)
      .flatMap(({ frame }) => frame.items)
      .some((item) => item.type === 'inspected' && item.locks[0]?.request?.peer === holder.peerId)
  }

  describe('and votes', () => {
    it('refuses grants that are none of its own, counts them, and cuts who goes on', async () => {
      const [a, b, hostile] = await withVoter()
      await using held = await b.plugins.mutex.acquire('deploy')
      const forgeries: Readonly<Record<string, (request: Listed['request']) => AnsweringItem>> = {
        'of another lease': (request) => grantOf(request, { leaseMs: leaseMs * 2 }),
        'for a question that was never asked': (request) => grantOf(request, { base: 99_999 }),
        'for another peer': (request) => grantOf({ ...request, peer: b.peerId }),
      }
      let forge: ((request: Listed['request']) => AnsweringItem) | undefined
      hostile.tamper = (to, frame) => [
        answeringOf(frame, (item) =>
          item.type === 'answer' && to === a.peerId && forge !== undefined
            ? [item, forge(item.request)]
            : [item],
        ),
      ]
      const cut = a.counters().linksCut
      const waiting = a.plugins.mutex.acquire('deploy', { waitMs: 5000 })
      let count = 0
      for (const [what, item] of Object.entries(forgeries)) {
        forge = (request) => {
          forge = undefined
          return item(request)
        }
        count += 1
        await eventually(what, () => counted(a, 'forged-grant') === count)
      }
      await eventually('the cut', () => a.counters().linksCut === cut + 1)
      assert.ok(held.validForMs > 0)
      await held.release()
      const lock = await waiting
      assert.ok(lock.token < 1000)
      await lock.release()
    })

    it('lets nobody in by a second vote while another holds the lock', async () => {
      const [a, b, hostile] = await withVoter()
      // From here on all three are asked at once, and all three vote for b.
      await goesOn([a, b])
      const voted = new Set<PeerId>()
      hostile.tamper = (to, frame) => {
        if (frame.answering?.items.some(({ type }) => type === 'grant') === true) voted.add(to)
        return [frame]
      }
      await using held = await b.plugins.mutex.acquire('deploy')
      await eventually('its true vote', () => voted.has(b.peerId))
      await eventually('the vote of a', () => votesFor(hostile, a, b))
      let counter = 2 ** 30
      hostile.tamper = (to, frame) => [
        answeringOf(frame, (item) => {
          if (item.type !== 'answer' || to !== a.peerId) return [item]
          counter += 1
          const grant = { generation: 2 ** 42, counter }
          const vote = { request: item.request, grant }
          const base = frame.answering?.ack ?? 1
          return [item, grantOf(item.request, { vote, base }), grantOf(item.request, { vote, base })]
        }),
      ]
      await assert.rejects(a.plugins.mutex.acquire('deploy', { waitMs: leaseMs }), { code: 'ERR_LOCK_HELD' })
      assert.ok(counter > 2 ** 30, 'it has voted')
      assert.ok(held.validForMs > 0)
    })

    it('burns no token that hardly another could follow', async () => {
      const [a, b, hostile] = await withVoter()
      hostile.tamper = (_to, frame) => [
        answeringOf(frame, (item) => [item.type === 'grant' ? { ...item, proposal: 2 ** 53 - 9 } : item]),
      ]
      await eventually('such a grant', async () => {
        await goesOn([a, b], 1)
        return counted(a, 'token-too-far') + counted(b, 'token-too-far') > 0
      })
      const lock = await a.plugins.mutex.acquire('common')
      assert.ok(lock.token < 2 ** 41)
    })

    it('takes nothing twice that is said twice, at once or later', async () => {
      const [a, b, hostile] = await withVoter()
      const replays = new Set<NodeJS.Timeout>()
      hostile.tamper = (to, frame) => {
        const doubled = answeringOf(
          askingOf(frame, (item) => [item, item]),
          (item) => [item, item],
        )
        replays.add(setTimeout(() => hostile.send(to, frame), 20 + 180 * Math.random()))
        return [doubled, frame]
      }
      const own = (async () => {
        for (let i = 0; i < 5; i += 1) {
          const event = await hostile.acquire('common')
          assert.equal(event.type, 'acquired')
          await delay(1)
          hostile.release(event.token)
        }
      })()
      await Promise.all([goesOn([a, b], 5), own])
      for (const replay of replays) clearTimeout(replay)
    })

    it('keeps the proof of two votes that cannot both be true, also over a restart', async () => {
      const dataDir = await tempDir()
      const [a, , hostile] = await withVoter(dataDir)
      assert.deepEqual(a.plugins.mutex.conflicts(), [])
      hostile.tamper = (_to, frame) => [
        answeringOf(frame, (item) => {
          if (item.type !== 'signed') return [item]
          const statements = decodeVotes(item.votes.bytes).map((statement) => ({
            ...statement,
            proposal: statement.proposal + 5,
          }))
          return [item, { type: 'signed', votes: signVotes(statements, hostile.crypto) }]
        }),
      ]
      const lock = await a.plugins.mutex.acquire('deploy')
      const [proof] = await eventually('the proof', () => {
        const conflicts = a.plugins.mutex.conflicts()
        return conflicts.length > 0 ? conflicts : undefined
      })
      assert.deepEqual([proof?.arbiter, proof?.lock], [hostile.id, 'deploy'])
      assert.ok(counted(a, 'conflicting-votes') > 0)
      const said = [proof?.first, proof?.second].flatMap((votes) =>
        votes === undefined ? [] : decodeVotes(votes.bytes).map(({ proposal }) => proposal),
      )
      assert.equal(Math.abs((said[0] ?? 0) - (said[1] ?? 0)), 5)
      await lock.release()
      await a.stop()
      const again = await startPeer({ name: 'a', dataDir })
      assert.deepEqual(again.plugins.mutex.conflicts(), [proof])
    })

    it('takes no forged proof for one', async () => {
      const [a, b, hostile] = await withVoter()
      hostile.tamper = (_to, frame) => [
        answeringOf(frame, (item) => {
          if (item.type !== 'signed') return [item]
          const signature = Uint8Array.from(item.votes.signature)
          signature[7] = (signature[7] ?? 0) ^ 1
          const statements = decodeVotes(item.votes.bytes).map((statement) => ({
            ...statement,
            proposal: 77,
          }))
          const { bytes } = signVotes(statements, hostile.crypto)
          return [item, { type: 'signed', votes: { bytes, signature } }]
        }),
      ]
      const lock = await a.plugins.mutex.acquire('deploy')
      await eventually('the forgery', () => counted(a, 'forged-grant') > 0)
      assert.deepEqual(a.plugins.mutex.conflicts(), [])
      await lock.release()
      await goesOn([a, b])
    })
  })

  describe('and asks', () => {
    it('has no vote counted that it may not give', async () => {
      const [a, b, hostile] = await withStranger()
      await using held = await b.plugins.mutex.acquire('deploy')
      const waiting = a.plugins.mutex.acquire('deploy', { waitMs: 1000 })
      const failed = assert.rejects(waiting, { code: 'ERR_LOCK_HELD' })
      for (let counter = 1; counter <= 3; counter += 1) {
        const request = { peer: a.peerId, generation: a.generation, counter }
        hostile.send(
          a.peerId,
          asking(hostile, [], {
            asking: undefined,
            answering: {
              session: { generation: a.generation, counter },
              seq: 1,
              ack: 1,
              items: [grantOf(request)],
            },
          }),
        )
      }
      await eventually('the count', () => counted(a, 'not-a-voter') > 0)
      await failed
      assert.ok(held.validForMs > 0)
    })

    it('is refused what is too long, too far ahead, or too much', async () => {
      const [a, b, hostile] = await withStranger()
      await refused(hostile, a, { leaseMs: quick.maxLeaseMs + 1 }, 'lease-too-long')
      assert.equal(counted(a, 'lease-too-long'), 1)
      await refused(hostile, a, { timestamp: 2 ** 45 }, 'timestamp-too-far')
      assert.equal(counted(a, 'timestamp-too-far'), 1)
      await refused(hostile, b, { hint: 2 ** 53 - 9 }, 'token-too-far')
      assert.equal(counted(b, 'token-too-far'), 1)
      const many = Array.from({ length: 1100 }, (_, i): AskingItem => {
        return { type: 'request', request: listed(hostile, { lock: `lock ${i}` }) }
      })
      hostile.send(b.peerId, asking(hostile, [sync(hostile), ...many]))
      await eventually('too many', () => counted(b, 'too-many') > 0)
      await goesOn([a, b])
    })

    it('moves nobody’s clock to its end', async () => {
      const [a, b, hostile] = await withStranger()
      hostile.send(a.peerId, asking(hostile, [sync(hostile)], { clock: 2 ** 53 - 9 }))
      await eventually('the count', () => counted(a, 'timestamp-too-far') === 1)
      await goesOn([a, b])
      const clocks = hostile.heard.map(({ frame }) => frame.clock)
      assert.ok(Math.max(...clocks) < 2 ** 51 + 2 ** 22)
    })

    it('is heard in no other version, and in no other electorate', async () => {
      const [a, b, hostile] = await withStranger()
      hostile.listen = () => []
      const { version } = hostile.core.view()
      const request: AskingItem = { type: 'request', request: listed(hostile) }
      const said = () =>
        answers(hostile, a).map((item) => (item.type === 'unavailable' ? item.reason : item.type))
      hostile.send(a.peerId, asking(hostile, [{ type: 'sync', version: version - 1, requests: [] }, request]))
      await eventually('the old version', () => said().join() === 'other-version')
      hostile.send(a.peerId, asking(hostile, [{ type: 'sync', version: version + 1, requests: [] }, request]))
      await eventually('the new version', () => said().join() === 'other-version,installing')
      const id = 'ab'.repeat(16) as Frame['id']
      hostile.send(a.peerId, asking(hostile, [sync(hostile), request], { id }))
      await goesOn([a, b])
      assert.equal(said().length, 2)
      assert.equal(
        a.plugins.mutex.electorate().conflict,
        undefined,
        'nobody has proven that there is another',
      )
      assert.deepEqual((await a.plugins.mutex.locks('deploy')).locks, [])
    })

    it('does not release what others hold, nor what nobody gave it', async () => {
      const [a, b, hostile] = await withStranger()
      await using held = await b.plugins.mutex.acquire('deploy')
      const names = Array.from({ length: 20 }, (_, i) => ({
        peer: b.peerId,
        generation: b.generation,
        counter: i + 1,
      }))
      const ends = names.flatMap((request): readonly AskingItem[] => [
        { type: 'release', request, lock: 'deploy', token: held.token, grants: [] },
        { type: 'cancel', request, lock: 'deploy' },
      ])
      for (const { peerId } of [a, b]) hostile.send(peerId, asking(hostile, [sync(hostile), ...ends]))
      await delay(200)
      assert.equal(await a.plugins.mutex.tryAcquire('deploy'), undefined)
      const { request } = listed(hostile)
      const evidence = {
        arbiter: a.peerId,
        grant: { generation: a.generation, counter: 2 ** 30 },
        proposal: 9,
        signed: undefined,
      }
      const release = { type: 'release', request, lock: 'deploy', token: 9, grants: [evidence] } as const
      hostile.send(a.peerId, asking(hostile, [sync(hostile), release]))
      await eventually('the count', () => counted(a, 'not-held') === 1)
      hostile.send(a.peerId, asking(hostile, [sync(hostile), { ...release, token: 2 ** 53 - 9, grants: [] }]))
      await eventually('the token', () => counted(a, 'token-too-far') === 1)
      assert.ok(held.validForMs > 0)
      await goesOn([a, b])
    })

    it('is struck for a name that is too long, and for noise, and cut when it goes on', async () => {
      const [a, b, hostile] = await withStranger()
      const before = a.counters()
      const request = listed(hostile, { lock: 'x'.repeat(257) })
      hostile.send(a.peerId, asking(hostile, [sync(hostile), { type: 'request', request }]))
      await eventually('malformed', () => a.counters().dropped.malformed === before.dropped.malformed + 1)
      hostile.bytes(a.peerId, Buffer.from([0xff, 0xff, 1]))
      hostile.bytes(a.peerId, Buffer.alloc(4000, 0x3a))
      await eventually('the cut', () => a.counters().linksCut === before.linksCut + 1)
      await goesOn([a, b])
    })

    for (const hides of [false, true]) {
      it(`does not get ahead of others by a low timestamp${hides ? ', though it hides that it has entered' : ''}`, async () => {
        const [a, b, hostile] = await withStranger()
        const order: string[] = []
        hostile.tamper = (_to, frame) => [
          askingOf(frame, (item) => {
            if (item.type === 'request') return [{ ...item, request: { ...item.request, timestamp: 1 } }]
            if (item.type === 'sync')
              return [{ ...item, requests: item.requests.map((request) => ({ ...request, timestamp: 1 })) }]
            if (item.type === 'release' && hides)
              return [{ type: 'cancel', request: item.request, lock: item.lock }]
            return [item]
          }),
        ]
        let isOver = false
        const cheat = (async () => {
          while (!isOver) {
            const event = await hostile.acquire('common', 2000)
            if (event.type !== 'acquired') continue
            order.push('cheat')
            hostile.release(event.token)
          }
        })()
        const honest = [a, b].map(async (peer) => {
          for (let i = 0; i < 10; i += 1) {
            const lock = await peer.plugins.mutex.acquire('common', { waitMs: 10_000 })
            order.push(peer.name)
            await lock.release()
          }
        })
        await Promise.all(honest)
        isOver = true
        await cheat
        const entries = order.slice(
          0,
          order.findLastIndex((name) => name !== 'cheat'),
        )
        const cheats = entries.filter((name) => name === 'cheat').length
        assert.ok(cheats <= 20, `${cheats} entries by cheating while others had ${entries.length - cheats}`)
      })
    }
  })
})

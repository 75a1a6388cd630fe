import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { PeerId } from '../../../../lib/protocols/core.ts'
import { frameCodec } from '../../../../plugins/mutex/core/codec.ts'
import { mutexLimits } from '../../../../plugins/mutex/core/limits.ts'
import type {
  AnsweringItem,
  AskingItem,
  Frame,
  Listed,
  PeerItem,
} from '../../../../plugins/mutex/core/messages.ts'
import { fitting, weightOf } from '../../../../plugins/mutex/core/wire/weight.ts'
import { answeringItems, askingItems, peerItems, quiet } from './frames.ts'

const session = { generation: 1, counter: 1 }
const asking = (item: AskingItem): Frame => ({ ...quiet, asking: { session, seq: 1, ack: 1, items: [item] } })
const answering = (item: AnsweringItem): Frame => ({
  ...quiet,
  answering: { session, seq: 1, ack: 1, items: [item] },
})

/** Of a frame without the item, and the head of a long asking or answering. */
const around = 18

type Item = AskingItem | AnsweringItem | PeerItem
const each: readonly (readonly [string, fc.Arbitrary<Item>, (item: never) => Frame])[] = [
  ...Object.entries(askingItems).map(([type, items]) => [type, items, asking] as const),
  ...Object.entries(answeringItems).map(([type, items]) => [type, items, answering] as const),
  ...Object.entries(peerItems).map(
    ([type, items]) => [type, items, (item: PeerItem) => ({ ...quiet, items: [item] })] as const,
  ),
]

describe('the weight of an item', () => {
  for (const [type, items, frameOf] of each) {
    it(`is not below what a ${type} adds to a frame, and not far above`, () => {
      fc.assert(
        fc.property(items, (item) => {
          const bytes = frameCodec.encode(frameOf(item as never)).length
          const weight = weightOf(item)
          assert.ok(weight >= bytes - around, `${bytes} bytes weigh ${weight}`)
          // Short names and numbers, where the longest are reckoned with.
          assert.ok(weight <= 1500 + 24 * bytes, `${bytes} bytes weigh ${weight}`)
        }),
        { numRuns: 100 },
      )
    })
  }

  it('tells how many fit, and that at least one goes', () => {
    const ping: AskingItem = { type: 'ping' }
    const pings = Array.from({ length: 10 }, () => ping)
    assert.equal(fitting(pings, 3 * weightOf(ping)), 3)
    assert.equal(fitting(pings, 1e6), 10)
    assert.equal(fitting(pings, 0), 1)
    assert.equal(fitting([], 0), 0)
  })

  it('of the largest items leaves each room in a frame of its own', () => {
    const alice = 'a'.repeat(64) as PeerId
    const most = Number.MAX_SAFE_INTEGER
    const request = { peer: alice, generation: most, counter: most }
    const lock = 'a'.repeat(256)
    const listed: Listed = {
      request,
      lock,
      timestamp: most,
      leaseMs: 86_400_000,
      hint: most,
      grant: { generation: most, counter: most },
      token: most,
    }
    const times = <T>(count: number, of: T): T[] => Array.from({ length: count }, () => of)
    const largest: readonly Item[] = [
      { type: 'sync', version: most, requests: times(mutexLimits.requestsPerPeer, listed) },
      {
        type: 'report',
        version: most,
        report: {
          floor: most,
          grants: times(mutexLimits.grants, { lock, request, remainingMs: 86_400_000 }),
          unknownForMs: 86_400_000,
          longestLeaseMs: 86_400_000,
        },
      },
    ]
    for (const item of largest) assert.ok(weightOf(item) < mutexLimits.frameBytes, item.type)
  })
})

import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { PeerId } from '../../../../../lib/protocols/core.ts'
import { digestOf } from '../../../../../plugins/mutex/core/lock/digest.ts'
import { Docket, type Petition } from '../../../../../plugins/mutex/core/lock/docket.ts'
import { compareRequests, keyOf } from '../../../../../plugins/mutex/core/lock/order.ts'

const small = fc.integer({ min: 0, max: 3 })
const requests = fc.record({
  timestamp: small,
  request: fc.record({
    peer: fc.constantFrom('a', 'b', 'c') as fc.Arbitrary<PeerId>,
    generation: small,
    counter: small,
  }),
})

function petition({ timestamp, request }: { timestamp: number; request: Petition['request'] }): Petition {
  return { request, key: keyOf(request), lock: 'lock', timestamp, leaseMs: 1000, entered: false }
}

describe('the order of requests', () => {
  it('is total: the same at every arbiter, and equal for none but the same', () => {
    fc.assert(
      fc.property(requests, requests, requests, (a, b, c) => {
        assert.equal(Math.sign(compareRequests(a, b)) + Math.sign(compareRequests(b, a)), 0)
        if (compareRequests(a, b) <= 0 && compareRequests(b, c) <= 0) assert.ok(compareRequests(a, c) <= 0)
        const isSame = keyOf(a.request) === keyOf(b.request) && a.timestamp === b.timestamp
        assert.equal(compareRequests(a, b) === 0, isSame)
      }),
    )
  })

  it('is that of the queue, however the requests come', () => {
    fc.assert(
      fc.property(fc.uniqueArray(requests, { selector: ({ request }) => keyOf(request) }), (all) => {
        const docket = new Docket('lock')
        for (const one of all) docket.enqueue(petition(one))
        const sorted = [...all].sort(compareRequests).map(({ request }) => keyOf(request))
        assert.deepEqual(
          docket.queue.map(({ key }) => key),
          sorted,
        )
        for (const one of all) assert.ok(docket.dequeue(keyOf(one.request)))
        assert.ok(docket.isIdle)
      }),
    )
  })
})

describe('the digest of votes', () => {
  const votes = fc.array(
    fc.record({
      request: fc.record({ peer: fc.constant('a' as PeerId), generation: small, counter: fc.nat() }),
      grant: fc.record({ generation: small, counter: fc.nat() }),
    }),
    { minLength: 1 },
  )

  it('is the same in any order, and another with one vote more or another number', () => {
    fc.assert(
      fc.property(votes, (some) => {
        assert.equal(digestOf(some), digestOf([...some].reverse()))
        assert.match(digestOf(some), /^[0-9a-f]{16}$/)
        assert.notEqual(digestOf(some), digestOf(some.slice(1)))
        const [first, ...rest] = some
        if (first === undefined) return
        const grant = { ...first.grant, counter: first.grant.counter + 1 }
        assert.notEqual(digestOf(some), digestOf([{ ...first, grant }, ...rest]))
      }),
    )
  })
})

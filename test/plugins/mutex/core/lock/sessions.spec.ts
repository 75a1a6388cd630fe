import assert from 'node:assert/strict'
import type { PeerId } from '../../../../../lib/protocols/core.ts'
import { Client } from '../../../../../plugins/mutex/core/lock/clients.ts'
import { keyOf } from '../../../../../plugins/mutex/core/lock/order.ts'
import { VoterLink } from '../../../../../plugins/mutex/core/lock/voter-link.ts'
import type { Answering, Asking } from '../../../../../plugins/mutex/core/messages.ts'

const peer = 'a' as PeerId
const keepMs = 10_000
const first = { generation: 1, counter: 1 }
const second = { generation: 1, counter: 2 }
const ping = { type: 'ping' } as const

function taken(link: VoterLink, now: number): Asking {
  const asking = link.take(now, keepMs)
  assert.ok(asking !== undefined)
  return asking
}

/** An acknowledgement is due. */
function answered(client: Client): Answering {
  client.owesAnswer = true
  const answering = client.take({ type: 'queued' })
  assert.ok(answering !== undefined)
  return answering
}

function opened(): { readonly link: VoterLink; readonly client: Client } {
  const link = new VoterLink(peer)
  const client = new Client(peer)
  link.open(first, 1, 0)
  link.push({ type: 'sync', version: 1, requests: [] }, true)
  const asking = taken(link, 0)
  assert.equal(client.place(asking), 'opens')
  client.open(asking.session)
  client.advance(asking.seq, 0)
  return { link, client }
}

describe('a session of locks', () => {
  it('numbers frames on both sides, and takes each once and in order', () => {
    const { link, client } = opened()
    link.push(ping, true)
    const asking = taken(link, 5)
    assert.deepEqual([asking.seq, client.place(asking)], [2, 'next'])
    client.advance(asking.seq, 5)
    assert.equal(client.place(asking), 'doubled')
    const answer = answered(client)
    assert.deepEqual([answer.seq, answer.ack], [1, 2])
    assert.equal(link.receive(answer), 'next')
    assert.equal(link.receive(answer), 'old')
    assert.ok(link.isAcknowledged)
  })

  it('owes no answer before it was asked, however late the own event loop was', () => {
    const { link } = opened()
    link.push(ping, true)
    taken(link, 100)
    link.lagged(20, 110)
    assert.equal(link.owesSince, 20)
    link.lagged(1000, 120)
    assert.equal(link.owesSince, 120)
  })

  it('ends when a frame is missing on either side', () => {
    const { link, client } = opened()
    for (const at of [1, 2]) link.push(ping, at === 1)
    taken(link, 1)
    link.push(ping, true)
    assert.equal(client.place(taken(link, 2)), 'gap')
    answered(client)
    assert.equal(link.receive(answered(client)), 'gap')
  })

  it('gives way to a later one only: what still comes of an older one is dropped', () => {
    const { link, client } = opened()
    link.push(ping, true)
    const late = taken(link, 1)
    link.open(second, 1, 2)
    link.push({ type: 'sync', version: 1, requests: [] }, true)
    const opening = taken(link, 2)
    assert.equal(client.place(opening), 'opens')
    client.open(opening.session)
    client.advance(opening.seq, 2)
    assert.equal(client.place(late), 'old')
    assert.equal(link.receive({ session: first, seq: 1, ack: 1, items: [] }), 'old')
  })

  it('says nothing before it is opened, or after it is closed', () => {
    const client = new Client(peer)
    client.push({ type: 'reset' })
    assert.equal(client.take({ type: 'queued' }), undefined)
    const { link } = opened()
    link.close()
    link.push(ping, true)
    assert.equal(link.take(1, keepMs), undefined)
  })

  it('owes an answer from the first frame that demands one until it is acknowledged', () => {
    const { link } = opened()
    assert.equal(link.owesSince, 0)
    link.receive({ session: first, seq: 1, ack: 1, items: [] })
    assert.equal(link.owesSince, undefined)
    link.push({ type: 'cancel', request: { peer, generation: 1, counter: 1 }, lock: 'a' }, false)
    taken(link, 3)
    assert.equal(link.owesSince, undefined)
    assert.equal(link.isAcknowledged, false)
    link.push(ping, true)
    taken(link, 4)
    link.push(ping, true)
    taken(link, 9)
    assert.equal(link.owesSince, 4)
    link.receive({ session: first, seq: 2, ack: 3, items: [] })
    assert.equal(
      link.owesSince,
      9,
      'an answer that takes longer than the pause between two questions is none too late',
    )
    link.receive({ session: first, seq: 3, ack: 4, items: [] })
    assert.equal(link.owesSince, undefined)
  })

  it('remembers what is over until the arbiter has had the frame that says so, also by saying nothing of it', () => {
    const { link } = opened()
    const key = keyOf({ peer, generation: 1, counter: 1 })
    link.push({ type: 'cancel', request: { peer, generation: 1, counter: 1 }, lock: 'a' }, false)
    link.ends(key, 0)
    taken(link, 1)
    link.receive({ session: first, seq: 1, ack: 1, items: [] })
    assert.ok(link.ending.has(key))
    link.close()
    link.open(second, 1, 2)
    link.push({ type: 'sync', version: 1, requests: [] }, true)
    taken(link, 2)
    link.receive({ session: second, seq: 1, ack: 1, items: [] })
    assert.equal(link.ending.size, 0)
  })

  it('tells when each frame left, for leases count from there', () => {
    const { link } = opened()
    link.push(ping, true)
    taken(link, 7)
    assert.deepEqual([link.sentAt(1), link.sentAt(2), link.sentAt(3)], [0, 7, undefined])
  })
})

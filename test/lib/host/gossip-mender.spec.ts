import assert from 'node:assert/strict'
import type { Connection } from '@libp2p/interface'
import type { Connections } from '../../../lib/host/connections.ts'
import { newCounters } from '../../../lib/host/counters.ts'
import { GossipMender } from '../../../lib/host/gossip-mender.ts'
import type { GossipService } from '../../../lib/host/gossip-service.ts'
import type { PeerId } from '../../../lib/protocols/core.ts'
import { eventually } from '../../support/eventually.ts'

const peer = 'p' as PeerId

/** A peer with a connection over which gossip flows or does not, as told. */
function rig() {
  const state = { flows: false, connected: true }
  const log: string[] = []
  const connection = {} as Connection
  const service = {
    knows: () => state.flows,
    streams: {
      to: () => (state.flows ? {} : undefined),
      abort: () => log.push('abort'),
      open: () => log.push('open'),
    },
  } as unknown as GossipService
  const connections = {
    peers: () => (state.connected ? [peer] : []),
    of: () => (state.connected ? [connection] : []),
    close: () => log.push('close'),
  } as unknown as Connections
  const counters = newCounters()
  return { mender: new GossipMender(service, connections, counters), state, log, counters }
}

/** Looks every two seconds, as a heartbeat does, without waiting for them. */
function lookFor(mender: GossipMender, fromMs: number, toMs: number): void {
  for (let now = fromMs; now <= toMs; now += 2000) mender.look(now)
}

describe('the mender of gossip', () => {
  it('gives a new connection time, then opens what is missing, with back-off', async () => {
    const { mender, log, counters } = rig()
    mender.look(0)
    mender.look(1999)
    assert.equal(log.length, 0)
    mender.look(2000)
    await eventually('the stream', () => log.includes('open'))
    assert.deepEqual(log, ['abort', 'open'])
    mender.look(3999)
    assert.equal(counters.gossipReopened, 1)
    mender.look(4000)
    mender.look(7999)
    assert.equal(counters.gossipReopened, 2)
    mender.stop()
  })

  it('leaves alone what is well', () => {
    const { mender, state, log } = rig()
    state.flows = true
    lookFor(mender, 0, 60_000)
    assert.deepEqual(log, [])
  })

  it('closes the connection when three streams were in vain, and once a minute at most', () => {
    const { mender, log, counters } = rig()
    mender.opened(peer)
    lookFor(mender, 0, 58_000)
    assert.equal(log.filter((entry) => entry === 'close').length, 1)
    assert.equal(counters.gossipReopened, 4, 'three before it, and one after')
    lookFor(mender, 60_000, 600_000)
    assert.ok(counters.gossipResets > 1 && counters.gossipResets <= 10, `${counters.gossipResets}`)
    mender.stop()
  })

  it('never closes the connection of who has not spoken the protocol', () => {
    const { mender, log } = rig()
    lookFor(mender, 0, 600_000)
    assert.ok(!log.includes('close'))
    mender.stop()
  })

  it('acts at once when a stream is lost, but not for a peer that has gone', async () => {
    const { mender, state, log } = rig()
    mender.lost(peer)
    await eventually('the stream', () => log.includes('open'))
    state.connected = false
    mender.lost(peer)
    await new Promise((resolve) => setTimeout(resolve, 400))
    assert.deepEqual(log, ['abort', 'open'])
    mender.stop()
  })
})

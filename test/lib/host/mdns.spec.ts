import assert from 'node:assert/strict'
import multicastDns, { type MulticastDNS } from 'multicast-dns'
import { generateIdentity } from '../../../lib/host/identity.ts'
import { Mdns } from '../../../lib/host/mdns.ts'
import { answersOf, type Neighbour, neighboursIn, serviceOf } from '../../../lib/host/mdns-answers.ts'
import type { PeerId } from '../../../lib/protocols/core.ts'
import { eventually } from '../../support/eventually.ts'

const running: Mdns[] = []
const strangers: MulticastDNS[] = []

afterEach(() => {
  for (const mdns of running.splice(0)) mdns.stop()
  for (const stranger of strangers.splice(0)) stranger.destroy()
})

/** One network for each test: another port than the machine's own. */
let port = 20_000 + Math.floor(Math.random() * 20_000)
beforeEach(() => {
  port += 1
})

async function start(cluster: string, address = '/ip4/127.0.0.1/tcp/4001') {
  const { peerId: self } = await generateIdentity()
  const found: Neighbour[] = []
  const troubles: unknown[] = []
  const mdns = new Mdns({
    self,
    cluster,
    addresses: () => [address],
    found: (neighbour) => void found.push(neighbour),
    trouble: (error) => void troubles.push(error),
    port,
    interface: '127.0.0.1',
  })
  running.push(mdns)
  mdns.start()
  return { self, found, troubles }
}

function stranger(): MulticastDNS {
  const dns = multicastDns({ port, bind: '0.0.0.0', interface: '127.0.0.1' })
  dns.on('error', () => {})
  strangers.push(dns)
  return dns
}

const secondCluster = 'ff'.repeat(16)
const cluster = '0f'.repeat(16)

describe('multicast DNS', () => {
  it('finds peers of the same cluster on the network, and no others', async () => {
    const a = await start(cluster, '/ip4/127.0.0.1/tcp/4001')
    const b = await start(cluster, '/ip4/127.0.0.1/tcp/4002')
    const other = await start(secondCluster, '/ip4/127.0.0.1/tcp/4003')
    const isFound = (found: readonly Neighbour[], peer: PeerId, address: string) =>
      found.some((neighbour) => neighbour.peer === peer && neighbour.address === address)
    await eventually('each other', () => isFound(a.found, b.self, '/ip4/127.0.0.1/tcp/4002'))
    await eventually('each other', () => isFound(b.found, a.self, '/ip4/127.0.0.1/tcp/4001'))
    assert.ok(a.found.every(({ peer }) => peer === b.self))
    assert.deepEqual([other.found, a.troubles, b.troubles], [[], [], []])
  })

  it('is told of a stranger’s inventions no more than sixteen times in ten seconds, and answers once a second', async () => {
    const a = await start(cluster)
    const crowd = await Promise.all(Array.from({ length: 40 }, () => generateIdentity()))
    const noise = stranger()
    let answers = 0
    noise.on('response', (packet) => {
      const own = (packet.answers ?? []).some(({ type, name }) => type === 'TXT' && !name.startsWith('x.'))
      if (own) answers += 1
    })
    const service = serviceOf(cluster)
    await eventually('more than may be told of', () => {
      for (const { peerId } of crowd)
        noise.respond({ answers: answersOf(service, 'x', peerId, ['/ip4/127.0.0.1/tcp/1']) })
      for (let i = 0; i < 20; i += 1) noise.query({ questions: [{ name: service, type: 'PTR' }] })
      return a.found.length >= 16
    })
    const from = performance.now()
    const before = answers
    for (let i = 0; i < 50; i += 1) noise.query({ questions: [{ name: service, type: 'PTR' }] })
    for (const { peerId } of crowd)
      noise.respond({ answers: answersOf(service, 'x', peerId, ['/ip4/127.0.0.1/tcp/1']) })
    await eventually('its next answer', () => answers > before)
    assert.equal(a.found.length, 16)
    const seconds = (performance.now() - from) / 1000
    assert.ok(answers - before <= 2 + seconds, `${answers - before} answers to fifty questions`)
  })
})

describe('an answer', () => {
  const source = '192.168.7.7'
  const service = serviceOf(cluster)
  let self: PeerId
  before(async () => {
    self = (await generateIdentity()).peerId
  })
  const read = (addresses: readonly string[]) =>
    neighboursIn(answersOf(service, 'i', self, addresses), service, source)

  it('names the machine that it came from, and nothing else is taken', () => {
    const address = `/ip4/${source}/tcp/4001`
    const foreign = [
      '/ip4/192.168.7.8/tcp/1',
      '/ip4/127.0.0.1/tcp/22',
      '/dns4/victim.example/tcp/443',
      '/ip6/::1/tcp/1',
    ]
    assert.deepEqual(read([address]), [{ peer: self, address }])
    assert.deepEqual(read([...foreign, address]), [{ peer: self, address }])
    assert.deepEqual(read([...foreign, `/ip4/${source}/tcp/0`, `/ip4/${source}/udp/4001`]), [])
  })

  it('is bounded, however long it is and whatever it holds', () => {
    const texts = (data: unknown, count = 1) => [
      { name: service, type: 'PTR', data: `i.${service}` },
      ...Array.from({ length: count }, () => ({ name: `i.${service}`, type: 'TXT', data })),
    ]
    const good = `dnsaddr=/ip4/${source}/tcp/1/p2p/${self}`
    assert.equal(neighboursIn(texts([Buffer.from(good)], 5000), service, source).length, 16)
    for (const data of [
      undefined,
      7,
      [],
      [[]],
      'dnsaddr=',
      'dnsaddr=/p2p/x',
      Buffer.alloc(60_000, 'd'),
      `${good}${'x'.repeat(70_000)}`,
    ]) {
      assert.deepEqual(neighboursIn(texts(data), service, source), [])
    }
    assert.deepEqual(neighboursIn(texts(good).slice(1), service, source), [])
  })

  it('has a name that is one for a cluster and holds nothing of its id', () => {
    assert.equal(serviceOf(cluster), serviceOf(cluster))
    assert.notEqual(serviceOf(cluster), serviceOf(secondCluster))
    assert.match(serviceOf(cluster), /^[0-9a-f]{16}\._p2pd\._udp\.local$/)
    assert.ok(!serviceOf(cluster).includes(cluster.slice(0, 8)))
  })
})

import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:net'
import {
  hostKind,
  parseAddress,
  readAddress,
  recordAddresses,
  withoutPeer,
} from '../../../lib/host/addresses.ts'
import { settleListen } from '../../../lib/host/listen.ts'

const id = '12D3KooWBdHd3Mz9ghDXmdKs6Q2pTc1PhmBPqqnSKwBgtbeYg8UR'

describe('an address', () => {
  it('names a host, a port and perhaps a peer', () => {
    assert.deepEqual(parseAddress(`/dns4/example.org/tcp/4001/p2p/${id}`), {
      host: 'example.org',
      family: 'dns4',
      port: 4001,
      peer: id,
    })
    assert.equal(parseAddress('/ip6/::1/tcp/0').host, '::1')
    assert.equal(withoutPeer(`/ip4/1.2.3.4/tcp/1/p2p/${id}`), '/ip4/1.2.3.4/tcp/1')
  })

  it('is refused when it is anything else', () => {
    const wrong = [
      '',
      'x',
      '1.2.3.4:80',
      '/ip4/1.2.3.4',
      '/ip4/300.1.1.1/tcp/1',
      '/ip4/1.2.3.4/udp/1',
      '/tcp/1',
    ]
    const odd = [
      '/ip4/1.2.3.4/tcp/1/ws',
      '/ip4/1.2.3.4/tcp/1/p2p/x',
      '/dnsaddr/a/tcp/1',
      '/ip4/1.2.3.4/tcp/99999',
    ]
    for (const text of [...wrong, ...odd, `/dns/${'a'.repeat(600)}/tcp/1`]) {
      assert.equal(readAddress(text), undefined, text)
      assert.throws(() => parseAddress(text), { code: 'ERR_BAD_ADDRESS' })
    }
  })

  it('is known by its kind, also when IPv4 hides in IPv6', () => {
    const kinds = [
      '127.0.0.1',
      '::1',
      '::ffff:127.0.0.1',
      '169.254.1.1',
      'fe80::1',
      '0.0.0.0',
      '::',
      '255.255.255.255',
    ]
    assert.deepEqual(kinds.map(hostKind), [
      ...['loopback', 'loopback', 'loopback', 'link-local', 'link-local'],
      ...['unspecified', 'unspecified', 'multicast'],
    ])
    assert.deepEqual(['10.0.0.1', '192.0.2.1', '2001:db8::1'].map(hostKind), ['global', 'global', 'global'])
  })

  it('is known by its kind in whatever way IPv6 is written, zones included', () => {
    const spellings: Readonly<Record<string, readonly string[]>> = {
      loopback: ['0:0:0:0:0:0:0:1', '::1%lo', '::ffff:7f00:1', '::FFFF:127.255.255.254'],
      'link-local': ['fe80::1%eth0', 'febf:ffff::1', '::ffff:169.254.1.1', '::ffff:a9fe:101'],
      unspecified: ['0:0:0:0:0:0:0:0', '::ffff:0.0.0.0', '::ffff:0:0'],
      multicast: ['ff02::1', 'ff02::1%eth0', '::ffff:224.0.0.1'],
      global: ['fd00::1', 'fec0::1', '::2', '::ffff:10.0.0.1', '2001:db8::ffff:127.0.0.1'],
    }
    for (const [kind, hosts] of Object.entries(spellings)) {
      for (const host of hosts) assert.equal(hostKind(host), kind, host)
    }
  })

  it('of IPv6 is one however it is written, and has no zone', () => {
    assert.equal(readAddress('/ip6/FD77:0:0:1:0:0:0:2/tcp/4001')?.host, 'fd77:0:0:1::2')
    assert.equal(readAddress('/ip6/::ffff:127.0.0.1/tcp/1')?.host, '::ffff:7f00:1')
    for (const text of [
      ...['/ip6/fe80::1%eth0/tcp/1', '/ip6zone/eth0/ip6/fe80::1/tcp/1', '/ip6/[::1]/tcp/1'],
      ...['/ip6/::1', '/ip6/127.0.0.1/tcp/1', '/ip4/::1/tcp/1', '/ip6/1::2::3/tcp/1'],
    ]) {
      assert.equal(readAddress(text), undefined, text)
    }
  })

  it('goes into the record unless others cannot use it', () => {
    const lan = '/ip4/10.0.0.5/tcp/1'
    const loopback = '/ip4/127.0.0.1/tcp/1'
    const linkLocal = '/ip6/fe80::1/tcp/1'
    assert.deepEqual(recordAddresses([loopback, lan, linkLocal], ['/ip4/0.0.0.0/tcp/0']), [lan])
    assert.deepEqual(recordAddresses([loopback, linkLocal], ['/ip4/0.0.0.0/tcp/0']), [loopback])
    assert.deepEqual(recordAddresses([loopback, lan], ['/ip4/127.0.0.1/tcp/1', lan]), [loopback, lan])
    const site = '/ip6/fd00::5/tcp/1'
    const own = '/ip6/::1/tcp/1'
    assert.deepEqual(recordAddresses([own, site, linkLocal, loopback], ['/ip6/::/tcp/0']), [site])
    assert.deepEqual(recordAddresses([own, linkLocal], ['/ip6/::/tcp/0']), [own])
    assert.deepEqual(recordAddresses([own], ['/ip6/::1/tcp/0']), [own])
    const many = Array.from({ length: 40 }, (_, i) => `/ip4/10.0.0.${i + 1}/tcp/1`)
    assert.equal(recordAddresses(many, []).length, 16)
  })
})

describe('the port to listen on', () => {
  let busy: Server | undefined
  afterEach(() => busy?.close())

  async function busyPort(): Promise<number> {
    const server = createServer()
    busy = server
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const bound = server.address()
    return typeof bound === 'object' ? (bound?.port ?? 0) : 0
  }

  it('is the same free one for all addresses that ask for any', async () => {
    const settled = await settleListen(['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.2/tcp/0'], undefined)
    const ports = settled.map((text) => parseAddress(text).port)
    assert.equal(new Set(ports).size, 1)
    assert.notEqual(ports[0], 0)
    assert.deepEqual(await settleListen(['/ip4/127.0.0.1/tcp/0'], ports[0]), [settled[0]])
  })

  it('is never silently another than the one that was saved', async () => {
    const port = await busyPort()
    await assert.rejects(settleListen(['/ip4/127.0.0.1/tcp/0'], port), {
      code: 'ERR_PORT_IN_USE',
      hint: /--listen/,
    })
    await assert.rejects(settleListen([`/ip4/127.0.0.1/tcp/${port}`], undefined), { code: 'ERR_PORT_IN_USE' })
  })

  it('must be of this machine', async () => {
    await assert.rejects(settleListen(['/ip4/192.0.2.77/tcp/0'], undefined), { code: 'ERR_BAD_ADDRESS' })
    await assert.rejects(settleListen(['/dns4/localhost/tcp/0'], undefined), { code: 'ERR_BAD_ADDRESS' })
    for (const address of ['/ip6/2001:db8::77/tcp/0', '/ip6/fe80::77/tcp/0', '/ip6/::ffff:127.0.0.1/tcp/0']) {
      await assert.rejects(settleListen([address], undefined), { code: 'ERR_BAD_ADDRESS' }, address)
    }
  })
})

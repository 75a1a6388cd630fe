import assert from 'node:assert/strict'
import { isLeftOver, isOwnNamespace, namespaceName, runId } from '../../../testnet/cluster/namespace-names.ts'
import {
  addressOf,
  counters,
  dropped,
  filter,
  move,
  noFaults,
  sentBytes,
  setUp,
} from '../../../testnet/cluster/network-plan.ts'
import { type Machine, type NetworkTools, networkTools } from '../../../testnet/cluster/network-tools.ts'

const nft: NetworkTools = { ip: '/sbin/ip', filter: { type: 'nft', path: '/sbin/nft' }, ip6: true }
const iptables: NetworkTools = {
  ip: '/sbin/ip',
  filter: { type: 'iptables', path: '/sbin/iptables-restore' },
  ip6: true,
}
const faults = {
  cuts: [{ from: [1, 2], to: [3] }],
  silent: new Set([4]),
  lossPercent: 10,
}

describe('the network of a testnet, as commands', () => {
  it('is one namespace a peer and a hub that routes between them, and nothing outside of these', () => {
    const commands = setUp(nft, 'run', ['n1', 'n2'])
    assert.deepEqual(
      commands.map(({ args }) => args.join(' ')),
      [
        '-batch -',
        'netns exec p2pd-run-hub tee /proc/sys/net/ipv4/ip_forward',
        'netns exec p2pd-run-hub tee /proc/sys/net/ipv6/conf/all/forwarding',
        '-n p2pd-run-hub -batch -',
        '-n p2pd-run-n1 -batch -',
        '-n p2pd-run-n2 -batch -',
      ],
    )
    const [spaces, , , links, first] = commands.map(({ input }) => input.trimEnd().split('\n'))
    assert.deepEqual(spaces, ['netns add p2pd-run-hub', 'netns add p2pd-run-n1', 'netns add p2pd-run-n2'])
    assert.equal(links?.[4], 'link add r2 type veth peer name eth0 netns p2pd-run-n2')
    assert.deepEqual(first, [
      'link set lo up',
      'address add 10.77.1.2/24 dev eth0',
      'address add fd77:0:0:1::2/64 dev eth0 nodad',
      'link set eth0 up',
      'route add 0.0.0.0/0 via 10.77.1.1',
      'route add ::/0 via fd77:0:0:1::1',
    ])
    const words = setUp({ ...nft, ip6: false }, 'run', ['n1'])
      .map(({ args, input }) => `${args.join(' ')} ${input}`)
      .join(' ')
    assert.doesNotMatch(words, /ipv6|::/, 'where the kernel has no IPv6')
  })

  it('drops in the hub alone: pairs, the silent in both directions, and by chance', () => {
    const [{ args, input } = assert.fail(), ...more] = filter(nft, 'run', faults)
    assert.deepEqual(more, [])
    assert.deepEqual(args, ['netns', 'exec', 'p2pd-run-hub', '/sbin/nft', '-f', '-'])
    const rules = input.split('\n').filter((line) => /drop$/.test(line))
    assert.deepEqual(
      rules.map((rule) => rule.trim()),
      [
        'iifname { "r1", "r2" } oifname { "r3" } counter drop',
        'iifname { "r4" } counter drop',
        'oifname { "r4" } counter drop',
        'numgen random mod 100 < 10 counter drop',
      ],
    )
    // The old ones go in the same transaction.
    assert.match(input, /^table inet p2pd\ndelete table inet p2pd\ntable inet p2pd \{/)
    assert.doesNotMatch(filter(nft, 'run', noFaults)[0]?.input ?? 'drop', /drop/)
  })

  it('means the same to iptables, once for each family', () => {
    const [ip4 = assert.fail(), ip6 = assert.fail(), ...more] = filter(iptables, 'run', faults)
    assert.deepEqual(more, [])
    assert.deepEqual(ip4.args, ['netns', 'exec', 'p2pd-run-hub', '/sbin/iptables-restore'])
    assert.deepEqual(ip6, { ...ip4, args: ['netns', 'exec', 'p2pd-run-hub', '/sbin/ip6tables-restore'] })
    assert.equal(filter({ ...iptables, ip6: false }, 'run', faults).length, 1)
    assert.deepEqual(
      ip4.input.split('\n').filter((line) => line.startsWith('-A')),
      [
        '-A FORWARD -i r1 -o r3 -j DROP',
        '-A FORWARD -i r2 -o r3 -j DROP',
        '-A FORWARD -i r4 -j DROP',
        '-A FORWARD -o r4 -j DROP',
        '-A FORWARD -m statistic --mode random --probability 0.10 -j DROP',
      ],
    )
  })

  it('counts what was dropped, as each tool tells it', () => {
    const told = `table inet p2pd {
      chain forward {
        iifname "r1" oifname "r2" counter packets 12 bytes 900 drop
        numgen random mod 100 < 10 counter packets 30 bytes 20 drop
      }`
    assert.equal(dropped(told), 42)
    assert.equal(dropped('*filter\n:FORWARD ACCEPT [7:8]\n[5:60] -A FORWARD -i r1 -j DROP\n'), 5)
    const asked = (tools: NetworkTools) => counters(tools, 'run').map(({ args }) => args.slice(3).join(' '))
    assert.deepEqual(asked(iptables), [
      '/sbin/iptables-save -c -t filter',
      '/sbin/ip6tables-save -c -t filter',
    ])
    assert.deepEqual(asked(nft), ['/sbin/nft list table inet p2pd'])
  })

  it('counts what each peer sent, which is what its device of the hub received', () => {
    const link = (ifname: string, rx: number) => ({
      ifname,
      stats64: { rx: { bytes: rx }, tx: { bytes: 1 } },
    })
    const told = JSON.stringify([link('lo', 7), link('r1', 100), link('r12', 200)])
    assert.deepEqual(
      [...sentBytes(told)],
      [
        [1, 100],
        [12, 200],
      ],
    )
  })

  it('moves a peer within its subnets, for which the rules stay as they are', () => {
    const moved = (family: 'ip4' | 'ip6') => [0, 1, 250].map((moves) => addressOf(17, family, moves))
    assert.deepEqual(moved('ip4'), ['10.77.17.2', '10.77.17.3', '10.77.17.2'])
    assert.deepEqual(moved('ip6'), ['fd77:0:0:11::2', 'fd77:0:0:11::3', 'fd77:0:0:11::2'])
    assert.deepEqual(move(nft, 'run', 'n7', 7, 1).input.trimEnd().split('\n'), [
      'address delete 10.77.7.2/24 dev eth0',
      'address add 10.77.7.3/24 dev eth0',
      'route add 0.0.0.0/0 via 10.77.7.1',
      'address delete fd77:0:0:7::2/64 dev eth0',
      'address add fd77:0:0:7::3/64 dev eth0 nodad',
    ])
  })
})

describe('the namespaces of a run', () => {
  it('say whose they are, so that those of the dead are told from those of the living', () => {
    const own = namespaceName(runId(), 'n1')
    assert.ok(isOwnNamespace(own))
    assert.ok(!isLeftOver(own))
    const [space] = runId().split('-')
    assert.ok(isLeftOver(`p2pd-${space}-${process.pid}-1-hub`), 'the pid was given to another process')
    assert.ok(!isLeftOver(`p2pd-${Number(space) + 1}-${process.pid}-1-hub`), 'the pid is of another space')
  })

  it('are not those of others', () => {
    for (const name of ['p2pd-n1', 'bench-p2pd-1-1-1-n1', 'p2pd-1-1-1-n1-x', 'p2pd-1-1-1-../x', '4711']) {
      assert.ok(!isOwnNamespace(name), name)
      assert.ok(!isLeftOver(name), name)
    }
  })
})

describe('a network of their own', () => {
  const able: Machine = { platform: 'linux', uid: 0, find: (tool) => `/sbin/${tool}`, ip6: true }
  const without = (...missing: readonly string[]): Machine => ({
    ...able,
    find: (tool) => (missing.includes(tool) ? undefined : `/sbin/${tool}`),
  })

  it('takes Linux, root, iproute2, and nft or iptables', () => {
    assert.deepEqual(networkTools(able), nft)
    assert.deepEqual(networkTools(without('nft')), iptables)
    assert.deepEqual(networkTools({ ...able, ip6: false }), { ...nft, ip6: false })
    assert.deepEqual(networkTools(without('nft', 'ip6tables-restore')), { ...iptables, ip6: false })
    const cases = [
      [{ ...able, platform: 'darwin' }, 'ip4', /only Linux has/, /run it on Linux/],
      [{ ...able, uid: 1000 }, 'ip4', /for root to make/, /as root/],
      [{ ...able, uid: undefined }, 'ip4', /for root to make/, /as root/],
      [without('ip'), 'ip4', /there is no 'ip'/, /iproute2/],
      [without('nft', 'iptables-restore'), 'ip4', /neither 'nft' nor 'iptables-restore'/, /package nftables/],
      [{ ...able, ip6: false }, 'ip6', /no IPv6/, /kernel/],
      [without('nft', 'ip6tables-restore'), 'ip6', /nor 'ip6tables-restore'/, /package nftables/],
    ] as const
    for (const [machine, family, problem, hint] of cases) {
      assert.throws(
        () => networkTools(machine, family),
        (error) => {
          assert.ok(error instanceof Error && 'code' in error && 'hint' in error)
          assert.equal(error.code, 'ERR_TESTNET_NETWORK')
          assert.match(error.message, problem)
          assert.match(String(error.hint), hint)
          return true
        },
      )
    }
  })
})

import assert from 'node:assert/strict'
import { isLeftOver, isOwnNamespace, namespaceName, runId } from '../../../testnet/cluster/namespace-names.ts'
import {
  addressOf,
  counters,
  dropped,
  filter,
  move,
  noFaults,
  setUp,
} from '../../../testnet/cluster/network-plan.ts'
import { type Machine, type NetworkTools, networkTools } from '../../../testnet/cluster/network-tools.ts'

const nft: NetworkTools = { ip: '/sbin/ip', filter: { type: 'nft', path: '/sbin/nft' } }
const iptables: NetworkTools = {
  ip: '/sbin/ip',
  filter: { type: 'iptables', path: '/sbin/iptables-restore' },
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
        '-n p2pd-run-hub -batch -',
        '-n p2pd-run-n1 -batch -',
        '-n p2pd-run-n2 -batch -',
        'netns exec p2pd-run-hub tee /proc/sys/net/ipv4/ip_forward',
      ],
    )
    const [spaces, links, first] = commands.map(({ input }) => input.trimEnd().split('\n'))
    assert.deepEqual(spaces, ['netns add p2pd-run-hub', 'netns add p2pd-run-n1', 'netns add p2pd-run-n2'])
    assert.equal(links?.[3], 'link add r2 type veth peer name eth0 netns p2pd-run-n2')
    assert.deepEqual(first, [
      'link set lo up',
      'address add 10.77.1.2/24 dev eth0',
      'link set eth0 up',
      'route add default via 10.77.1.1',
    ])
  })

  it('drops in the hub alone: pairs, the silent in both directions, and by chance', () => {
    const { args, input } = filter(nft, 'run', faults)
    assert.deepEqual(args, ['netns', 'exec', 'p2pd-run-hub', '/sbin/nft', '-f', '-'])
    const rules = input.split('\n').filter((line) => /drop$/.test(line))
    assert.deepEqual(
      rules.map((rule) => rule.trim()),
      [
        'ip saddr { 10.77.1.0/24, 10.77.2.0/24 } ip daddr { 10.77.3.0/24 } counter drop',
        'ip saddr { 10.77.4.0/24 } counter drop',
        'ip daddr { 10.77.4.0/24 } counter drop',
        'numgen random mod 100 < 10 counter drop',
      ],
    )
    // The old ones go in the same transaction.
    assert.match(input, /^table ip p2pd\ndelete table ip p2pd\ntable ip p2pd \{/)
    assert.doesNotMatch(filter(nft, 'run', noFaults).input, /drop/)
  })

  it('means the same to iptables', () => {
    const { args, input } = filter(iptables, 'run', faults)
    assert.deepEqual(args, ['netns', 'exec', 'p2pd-run-hub', '/sbin/iptables-restore'])
    assert.deepEqual(
      input.split('\n').filter((line) => line.startsWith('-A')),
      [
        '-A FORWARD -s 10.77.1.0/24 -d 10.77.3.0/24 -j DROP',
        '-A FORWARD -s 10.77.2.0/24 -d 10.77.3.0/24 -j DROP',
        '-A FORWARD -s 10.77.4.0/24 -j DROP',
        '-A FORWARD -d 10.77.4.0/24 -j DROP',
        '-A FORWARD -m statistic --mode random --probability 0.10 -j DROP',
      ],
    )
  })

  it('counts what was dropped, as each tool tells it', () => {
    const told = `table ip p2pd {
      chain forward {
        ip saddr 10.77.1.0/24 counter packets 12 bytes 900 drop
        numgen random mod 100 < 10 counter packets 30 bytes 20 drop
      }`
    assert.equal(dropped(told), 42)
    assert.equal(dropped('*filter\n:FORWARD ACCEPT [7:8]\n[5:60] -A FORWARD -s 10.77.1.0/24 -j DROP\n'), 5)
    assert.deepEqual(counters(iptables, 'run').args.slice(3), ['/sbin/iptables-save', '-c', '-t', 'filter'])
    assert.deepEqual(counters(nft, 'run').args.slice(3), ['/sbin/nft', 'list', 'table', 'ip', 'p2pd'])
  })

  it('moves a peer within its subnet, for which the rules stay as they are', () => {
    assert.deepEqual(
      [addressOf(7), addressOf(7, 1), addressOf(7, 250)],
      ['10.77.7.2', '10.77.7.3', '10.77.7.2'],
    )
    assert.deepEqual(move(nft, 'run', 'n7', 7, 1).input.trimEnd().split('\n'), [
      'address delete 10.77.7.2/24 dev eth0',
      'address add 10.77.7.3/24 dev eth0',
      'route add default via 10.77.7.1',
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
  const able: Machine = { platform: 'linux', uid: 0, find: (tool) => `/sbin/${tool}` }
  const without = (...missing: readonly string[]): Machine => ({
    ...able,
    find: (tool) => (missing.includes(tool) ? undefined : `/sbin/${tool}`),
  })

  it('takes Linux, root, iproute2, and nft or iptables', () => {
    assert.deepEqual(networkTools(able), nft)
    assert.deepEqual(networkTools(without('nft')), iptables)
    for (const [machine, problem, hint] of [
      [{ ...able, platform: 'darwin' }, /only Linux has/, /run it on Linux/],
      [{ ...able, uid: 1000 }, /for root to make/, /as root/],
      [{ ...able, uid: undefined }, /for root to make/, /as root/],
      [without('ip'), /there is no 'ip'/, /iproute2/],
      [without('nft', 'iptables-restore'), /neither 'nft' nor 'iptables-restore'/, /package nftables/],
    ] as const) {
      assert.throws(
        () => networkTools(machine),
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

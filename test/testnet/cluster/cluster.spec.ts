import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Violation } from '../../../testnet/checkers/history.ts'
import { checkMembership } from '../../../testnet/checkers/membership.ts'
import { noticeTimes } from '../../../testnet/checkers/times.ts'
import { Cluster } from '../../../testnet/cluster/cluster.ts'
import { oneView, shown } from '../../../testnet/cluster/expectations.ts'
import { runTestnet } from '../../../testnet/cluster/testnet.ts'

/** Generous: what is tested is that it happens at all; how fast is for the benchmarks. */
const withinMs = 20_000
const bounds = { detectionMs: 10_000, convergenceMs: 10_000, graceMs: 2000 }

function silentIo() {
  let text = ''
  const stdout = {
    write(chunk: string) {
      text += chunk
      return true
    },
  }
  const io = {
    stdout,
    stderr: { write: () => true },
    env: process.env,
    signal: new AbortController().signal,
  }
  return { io, text: () => text }
}

describe('a cluster of real daemons', function () {
  this.timeout(120_000)

  it('forms, notices a SIGKILL, takes the peer back, and keeps every promise meanwhile', async () => {
    const signal = new AbortController().signal
    const cluster = await Cluster.create({ peers: 3, profile: 'local', env: process.env, signal })
    try {
      await cluster.found()
      await cluster.until(() => oneView(cluster), withinMs)
      await cluster.kill('n3')
      const dead = { do: 'expect', peer: 'n3', status: 'dead', withinMs } as const
      await cluster.until(() => shown(cluster, dead), withinMs)
      await cluster.start('n3')
      await cluster.until(() => oneView(cluster), withinMs)

      const { generation, previousGeneration } = cluster.member('n3')
      assert.ok(generation > previousGeneration)
      cluster.recorder.record({ type: 'end' })
      const { violations, figures } = checkMembership(cluster.recorder.history(), bounds)
      assert.deepEqual(violations, [])
      assert.equal(figures.detections[0]?.noticed, 2)
      assert.equal(figures.lives, 4)
    } finally {
      await cluster.close()
      await cluster.removeFolder()
    }
    assert.ok(cluster.members.every(({ process }) => process?.running === false))
  })

  it('tells a frozen process from a dead one, and goes on with it', async () => {
    const signal = new AbortController().signal
    const cluster = await Cluster.create({ peers: 3, profile: 'local', env: process.env, signal })
    try {
      await cluster.found()
      await cluster.until(() => oneView(cluster), withinMs)
      cluster.pause('n3')
      const stalled = { do: 'expect', peer: 'n3', status: 'suspect', detail: 'stalled', withinMs } as const
      await cluster.until(() => shown(cluster, { ...stalled, by: ['n1', 'n2'] }), withinMs)
      cluster.resume('n3')
      await cluster.until(() => oneView(cluster), withinMs)

      cluster.recorder.record({ type: 'end' })
      const history = cluster.recorder.history()
      const stalls = { shownMs: withinMs, memberMs: withinMs }
      assert.deepEqual(checkMembership(history, { ...bounds, stalls }).violations, [])
      assert.equal(noticeTimes(history).stalled?.count, 2)
    } finally {
      await cluster.close()
      await cluster.removeFolder()
    }
  })

  it('moves a peer, then takes its disk, and finds it at its new place and as somebody new', async () => {
    const signal = new AbortController().signal
    const cluster = await Cluster.create({ peers: 3, profile: 'local', env: process.env, signal })
    try {
      await cluster.found()
      await cluster.until(() => oneView(cluster), withinMs)
      const addressShown = () => cluster.recorder.row('n1', 'n3')?.addresses
      const [before, peerId] = [addressShown(), cluster.recorder.row('n1', 'n3')?.peerId]

      await cluster.stop('n3')
      await cluster.readdress('n3')
      await cluster.start('n3')
      await cluster.until(() => oneView(cluster), withinMs)
      assert.notDeepEqual(addressShown(), before)
      assert.equal(cluster.recorder.row('n1', 'n3')?.peerId, peerId)

      await cluster.kill('n3')
      await cluster.wipe('n3')
      await cluster.start('n3')
      await cluster.until(() => oneView(cluster), withinMs)
      assert.notEqual(cluster.recorder.row('n1', 'n3-2')?.peerId, peerId)
      // The old one is not forgotten, and not taken for the new one.
      assert.equal(cluster.recorder.row('n1', 'n3')?.peerId, peerId)

      cluster.recorder.record({ type: 'end' })
      assert.deepEqual(checkMembership(cluster.recorder.history(), bounds).violations, [])
    } finally {
      await cluster.close()
      await cluster.removeFolder()
    }
  })

  it('tells at once when a daemon ends by itself', async () => {
    const signal = new AbortController().signal
    const cluster = await Cluster.create({ peers: 1, profile: 'local', env: process.env, signal })
    try {
      await cluster.found()
      const pid = cluster.member('n1').process?.pid
      assert.ok(pid !== undefined)
      const waiting = cluster.until(() => 'nothing changes', withinMs)
      process.kill(pid, 'SIGKILL')
      await assert.rejects(waiting, { code: 'ERR_TESTNET', message: /^n1 ended by itself \(SIGKILL\)/ })
      assert.deepEqual(cluster.running(), [])
    } finally {
      await cluster.close()
      await cluster.removeFolder()
    }
  })

  it('talks, loses one in mid-talk, and every promise of multicast holds, also to the one that returns', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'p2pd-talk-'))
    const scenario = join(folder, 'talk.json')
    const during = [
      { do: 'watch', forMs: 500 },
      { do: 'kill', peer: 'n2' },
      { do: 'watch', forMs: 500 },
      { do: 'start', peer: 'n2' },
      { do: 'catch-up', peer: 'n2', withinMs },
    ]
    const talk = { do: 'talk', group: 'all', messages: 4, everyMs: 30, replies: true, withinMs, during }
    const steps = [{ do: 'form', withinMs }, talk]
    writeFileSync(scenario, JSON.stringify({ summary: 'A talk', peers: 3, bounds, steps }))
    const output = silentIo()
    try {
      const code = await runTestnet({ scenario, json: true }, output.io)
      const lines = output.text().trimEnd().split('\n')
      const { violations, failure, multicast } = JSON.parse(lines.at(-1) ?? '')
      assert.deepEqual([violations, failure], [[], null])
      assert.equal(code, 0)
      assert.equal(multicast.inversions, 0)
      // What the killed one had said and not yet told leaves a hole in the history: vectors after it cannot be judged.
      assert.ok(multicast.vectors > 0, 'vectors were judged, not only read')
      const [{ peer, life, missed }] = multicast.catchUps
      assert.deepEqual([peer, life, missed > 0], ['n2', 2, true])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('contends for a lock, loses its holder and then the quorum, and enters again when they are back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'p2pd-lock-'))
    const scenario = join(folder, 'lock.json')
    const lose = ['holder', 'quorum']
    const lock = { do: 'lock', lock: 'ledger', forMs: 300, leaseMs: 1500, lose, withinMs }
    const steps = [{ do: 'form', withinMs }, lock]
    writeFileSync(scenario, JSON.stringify({ summary: 'A lock', peers: 3, bounds, steps }))
    const output = silentIo()
    try {
      const code = await runTestnet({ scenario, json: true }, output.io)
      const lines = output.text().trimEnd().split('\n')
      const phases = lines.map((line) => JSON.parse(line))
      const { violations, failure, mutex } = phases.at(-1)
      assert.deepEqual([violations, failure], [[], null])
      assert.equal(code, 0)
      assert.deepEqual(
        phases.flatMap(({ phase }) => phase ?? []),
        [
          ...['begin', 'start', 'form', 'elect', 'contend', 'command'],
          ...['lose-holder', 'lose-quorum', 'come-back'],
        ],
      )
      const { nextMs } = phases.find(({ phase }) => phase === 'lose-holder')
      // Some of its lease was over when it was killed; then nobody is in before the rest of it is.
      assert.ok(nextMs > 500, `the next holder came after ${nextMs} ms`)
      // The one that was left asked twice: through its API, and with a command.
      assert.deepEqual([mutex.noQuorum, mutex.died], [2, 1])
      // Five commands and whoever else came in between: how many, the machine decides.
      assert.ok(mutex.entries > 3 && mutex.shown > 0)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('fails, and keeps logs and history, when a check does not hold', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'p2pd-impossible-'))
    const scenario = join(folder, 'impossible.json')
    const steps = [
      { do: 'form', withinMs },
      { do: 'kill', peer: 'n2' },
      { do: 'expect', peer: 'n2', status: 'dead', withinMs },
    ]
    const impossible = { ...bounds, detectionMs: 1 }
    writeFileSync(scenario, JSON.stringify({ summary: 'A death', peers: 3, bounds: impossible, steps }))
    const output = silentIo()
    try {
      assert.equal(await runTestnet({ scenario, json: true }, output.io), 1)
      const lines = output.text().trimEnd().split('\n')
      const phases = lines.map((line) => JSON.parse(line))
      assert.deepEqual(
        phases.flatMap(({ phase }) => phase ?? []),
        ['begin', 'start', 'form', 'kill', 'dead'],
      )
      const verdict = phases.at(-1)
      assert.equal(verdict.verdict, 'fail')
      assert.ok(verdict.violations.every(({ property }: Violation) => property === 'completeness'))
      assert.equal(verdict.violations.length, 2)
      assert.match(readFileSync(join(verdict.folder, 'history.jsonl'), 'utf8'), /"type":"killed","peer":"n2"/)
      assert.ok(existsSync(join(verdict.folder, 'n2.log')))
      rmSync(verdict.folder, { recursive: true })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('is not started for a scenario that nobody knows, or with too few or too many peers', async () => {
    const { io, text } = silentIo()
    await assert.rejects(runTestnet({ scenario: 'nonsense' }, io), { code: 'ERR_UNKNOWN_SCENARIO' })
    await assert.rejects(runTestnet({ peers: 2 }, io), { code: 'ERR_USAGE' })
    await assert.rejects(runTestnet({ peers: 101 }, io), { code: 'ERR_USAGE' })
    assert.equal(text(), '')
  })
})

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkMutex } from '../../../plugins/mutex/checker/fenced-mutex.ts'
import { Contention } from '../../../testnet/cluster/contention.ts'
import { Ledger } from '../../../testnet/cluster/ledger.ts'
import { LockCommand } from '../../../testnet/cluster/lock-command.ts'
import { LockLog } from '../../../testnet/cluster/lock-log.ts'
import { type Door, type LockStage, visitByCommand, visitOnce } from '../../../testnet/cluster/lock-visits.ts'
import type { Member } from '../../../testnet/cluster/member.ts'
import { Reaper } from '../../../testnet/cluster/reaper.ts'
import { Recorder } from '../../../testnet/cluster/recorder.ts'
import { eventually } from '../../support/eventually.ts'
import { type FakeLockDaemon, FakeLocks } from './fake-locks.ts'

/** Gives its command a token, and passes its exit code on; for `--lease 5ms` there is no quorum. */
const fakeClient = `
const args = process.argv.slice(2)
if (args.includes('5ms')) {
  console.error('{"error":{"code":"ERR_NO_QUORUM","message":"too few voters answer"}}')
  process.exit(5)
}
const [command, ...rest] = args.slice(args.indexOf('--') + 1)
const env = { P2PD_FENCING_TOKEN: '7' }
const child = require('node:child_process').spawn(command, rest, { env, stdio: 'ignore' })
child.on('exit', (code) => process.exit(code ?? 7))
`

const never = new AbortController().signal

describe('locks in a test cluster', () => {
  let folder: string
  let fake: FakeLocks
  let recorder: Recorder
  let locks: LockLog
  let ledger: Ledger
  let reaper: Reaper
  let stage: LockStage
  let door: Door

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'p2pd-locks-'))
    fake = await FakeLocks.open(3)
    recorder = new Recorder()
    locks = new LockLog(recorder)
    ledger = await Ledger.open(folder, 'door', locks, recorder)
    reaper = Reaper.start()
    const program = join(folder, 'client.cjs')
    writeFileSync(program, fakeClient)
    const command = (args: readonly string[]): LockCommand =>
      LockCommand.start({ program, args, env: {}, reaper })
    stage = { locks, recorder, command }
    door = { lock: 'door', leaseMs: 1000, ledger }
  })

  afterEach(async () => {
    await ledger.close()
    await fake.close()
    await reaper.close()
    rmSync(folder, { recursive: true })
  })

  /** Of a member no more is asked than its name, its life and where to find it. */
  function member({ name, lives, dataDir }: FakeLockDaemon): Member {
    return { name, lives, dataDir } as Member
  }

  function members(): readonly Member[] {
    return fake.daemons.map(member)
  }

  function verdict() {
    const bounds = {
      timely: true,
      overtaking: Number.POSITIVE_INFINITY,
      noQuorumMs: 5000,
      calmMs: Number.POSITIVE_INFINITY,
      quietAtEnd: true,
    }
    return checkMutex(locks.history(), bounds)
  }

  function broken(): readonly string[] {
    return [...new Set(verdict().violations.map(({ property }) => property))]
  }

  function entries(): number {
    return locks.enteredSince(0).length
  }

  function lines(): readonly string[] {
    return readFileSync(ledger.path, 'utf8').trimEnd().split('\n')
  }

  describe('that everybody contends for', () => {
    it('are entered in turn, and each stay writes one line', async () => {
      const contention = new Contention(stage, door, members())
      await eventually('many have entered', () => entries() >= 30)
      await contention.stop()
      const { violations, figures } = verdict()
      assert.deepEqual(violations, [])
      assert.equal(figures.entries, fake.token)
      assert.equal(figures.released, figures.entries)
      assert.equal(figures.shown, figures.entries)
      assert.ok((figures.jain ?? 0) > 0.8)
      assert.deepEqual(
        lines().map((line) => Number(line.split('\t')[0])),
        locks.enteredSince(0).map(({ token }) => token),
      )
    })

    it('and that let in whoever asks are found out', async () => {
      fake.broken = true
      const contention = new Contention(stage, door, members())
      await eventually('two were in at once', () => broken().includes('exclusion'))
      await contention.stop()
    })

    it('and whose tokens fall are found out, and the ledger refuses them', async () => {
      fake.token = 1000
      fake.step = -1
      const contention = new Contention(stage, door, members())
      await eventually('some have entered', () => entries() >= 5)
      await contention.stop()
      assert.deepEqual(broken(), ['tokens'])
      const { shown, refused } = verdict().figures
      assert.equal(refused, shown - 1)
      assert.equal(lines().length, 1)
    })

    it('go on without one that was killed, whose requests nobody answers', async () => {
      const contention = new Contention(stage, door, members())
      await eventually('some have entered', () => entries() >= 5)
      const n2 = fake.daemon('n2')
      locks.gone('n2', 1)
      n2.kill()
      const killedAt = recorder.now()
      await eventually('others have entered', () => {
        const names = new Set(locks.enteredSince(killedAt).map(({ asker }) => asker.peer))
        return names.has('n1') && names.has('n3')
      })
      await contention.stop()
      assert.deepEqual(verdict().violations, [])
    })

    it('and that nobody can have fail, and say why', async () => {
      fake.quorum = false
      const contention = new Contention(stage, door, members())
      await assert.rejects(contention.stop(), {
        code: 'ERR_TESTNET',
        message: /^n\d could not enter door \(ERR_NO_QUORUM: /,
      })
    })
  })

  describe('that are asked for once', () => {
    it('tell the outcome, and the error with it', async () => {
      fake.quorum = false
      locks.quorum(false)
      const { visit, error } = await visitOnce(stage, member(fake.daemon('n1')), door, 'one', never)
      assert.equal(visit.outcome, 'no-quorum')
      assert.equal((error as { code?: string }).code, 'ERR_NO_QUORUM')
      assert.deepEqual(verdict().violations, [])
      assert.equal(verdict().figures.noQuorum, 1)
    })

    it('and are lost at once were not entered', async () => {
      const n1 = fake.daemon('n1')
      const lost = visitOnce(stage, member(n1), door, 'one', never)
      fake.holds = () => false
      const { visit, error } = await lost
      assert.deepEqual([visit.outcome, visit.enteredAt], ['failed', undefined])
      assert.equal((error as { code?: string }).code, 'ERR_LOCK_SESSION')
    })

    it('are given up when there is no time left', async () => {
      const n1 = member(fake.daemon('n1'))
      const held = visitByCommand(stage, n1, door, 'forever')
      const over = new AbortController()
      fake.leaseMs = 60_000
      fake.broken = false
      const first = await visitOnce(stage, n1, door, 'one', never)
      assert.equal(first.error, undefined)
      const waiting = visitOnce(stage, n1, door, 'two', over.signal)
      over.abort(new Error('no time left'))
      assert.match(String((await waiting).error), /no time left/)
      held.command.kill()
      await held.ended
    })
  })

  describe('that a command works under', () => {
    it('are held by its own account, from its first line to its last', async () => {
      const { visit, ended } = visitByCommand(stage, member(fake.daemon('n1')), door, 30)
      assert.deepEqual(await ended, { code: 0, signal: null, error: undefined })
      await eventually('it has left', () => visit.leftAt)
      const { violations, figures } = verdict()
      assert.deepEqual(violations, [])
      assert.deepEqual([visit.token, figures.released], [7, 1])
      assert.ok((visit.leftAt ?? 0) - (visit.enteredAt ?? 0) >= 30)
      assert.ok(lines().length > 1)
    })

    it('are left, when it is killed, where it was last seen to work', async () => {
      const { visit, command, ended } = visitByCommand(stage, member(fake.daemon('n1')), door, 'forever')
      await eventually('it writes', () => lines().length > 2)
      const before = recorder.now()
      locks.gone('n1', 1)
      command.kill()
      await ended
      // The fake client does not end its command: the ledger's end does.
      await ledger.close()
      await eventually('it has left', () => visit.leftAt)
      assert.ok((visit.leftAt ?? 0) > before - 1000)
      assert.equal(verdict().figures.died, 1)
      ledger = await Ledger.open(folder, 'door', locks, recorder)
    })

    it('are refused by exit code', async () => {
      const refusing = { ...door, leaseMs: 5 }
      const { visit, ended } = visitByCommand(stage, member(fake.daemon('n1')), refusing, 0)
      assert.deepEqual(await ended, { code: 5, signal: null, error: 'ERR_NO_QUORUM' })
      assert.equal(visit.outcome, 'no-quorum')
    })

    it('do not help an old token into the ledger', async () => {
      fake.token = 8
      await visitOnce(stage, member(fake.daemon('n2')), door, 'one', never)
      const { ended } = visitByCommand(stage, member(fake.daemon('n1')), door, 'forever')
      assert.equal((await ended).code, 9)
      assert.equal(lines().length, 1)
      await eventually('it has left', () => verdict().figures.released === 2)
      assert.deepEqual(broken(), ['tokens'])
    })
  })
})

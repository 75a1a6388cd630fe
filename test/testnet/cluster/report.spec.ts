import assert from 'node:assert/strict'
import { checkMutex } from '../../../plugins/mutex/checker/fenced-mutex.ts'
import type { MutexEvent } from '../../../plugins/mutex/checker/history.ts'
import { checkMembership } from '../../../testnet/checkers/membership.ts'
import { type NoticeTimes, noticeTimes } from '../../../testnet/checkers/times.ts'
import { jsonReporter, type TestnetVerdict, textReporter } from '../../../testnet/cluster/report.ts'

describe('the report of a testnet that goes on running', () => {
  const told = (...names: readonly string[]): readonly string[] => {
    let text = ''
    const stdout = {
      write(chunk: string) {
        text += chunk
        return true
      },
    }
    const { signal } = new AbortController()
    const reporter = textReporter({ stdout, stderr: stdout, env: {}, signal })
    reporter.keep(
      '/t',
      names.map((name) => ({ name, dataDir: `/t/${name}` })),
    )
    return text.split('\n').map((line) => line.replace(/^ {2}.*?p2pd(?:\.js)? /, '  '))
  }

  it('says how to talk to each peer, and how to let two of them talk and contend', () => {
    assert.deepEqual(told('n1', 'n2', 'n3').slice(1), [
      '  members --data /t/n1',
      '  members --data /t/n2',
      '  members --data /t/n3',
      'Let them talk, in two terminals:',
      '  sub all --data /t/n1',
      '  pub all hello --data /t/n2',
      'Let them contend, in two terminals:',
      '  lock demo --data /t/n1 -- sleep 10',
      '  lock demo --data /t/n2 -- sleep 10',
      '',
    ])
  })

  it('does not where there is one peer alone', () => {
    assert.deepEqual(told('n1').slice(1), ['  members --data /t/n1', ''])
  })
})

describe('the verdict of a testnet', () => {
  const quiet = { detectionMs: 1, convergenceMs: 1, graceMs: 1 }
  const lockBounds = { timely: true, overtaking: 1, noQuorumMs: 1, calmMs: 1, quietAtEnd: true }

  /** Of two peers that had one lock in turn, with these tokens. */
  function told(
    json: boolean,
    tokens: readonly [number, number],
    times: NoticeTimes = noticeTimes([]),
    more: Partial<TestnetVerdict> = {},
  ): string {
    let text = ''
    const stdout = {
      write(chunk: string) {
        text += chunk
        return true
      },
    }
    const io = { stdout, stderr: stdout, env: {}, signal: new AbortController().signal }
    const history = tokens.flatMap((token, index): readonly MutexEvent[] => {
      const base = { lock: 'door', peer: `n${index + 1}`, life: 1 }
      const [at, request] = [100 * index, index + 1]
      return [
        { type: 'asked', at, ...base, request },
        { type: 'entered', at: at + 20, ...base, token, request },
        { type: 'answered', at: at + 20, request, outcome: 'entered' },
        { type: 'left', at: at + 30, ...base, token, how: 'released' },
      ]
    })
    const mutex = checkMutex(history, lockBounds)
    const verdict: TestnetVerdict = {
      ...{ verdict: 'pass', scenario: 'lock', peers: 2, tookMs: 1000, failure: null, shown: null },
      load: { cores: 2, before: 0.5, after: 1 },
      violations: mutex.violations,
      figures: checkMembership([], quiet).figures,
      times,
      mutex: mutex.figures,
      ...{ multicast: null, excerpt: [], names: new Map(), traffic: null, folder: null },
      ...more,
    }
    const reporter = json ? jsonReporter(stdout) : textReporter(io)
    reporter.verdict(verdict)
    return text
  }

  it('tells people how many had the lock, how long they waited, and what was judged', () => {
    const lines = told(false, [1, 2]).split('\n')
    assert.ok(
      lines.includes(
        'ok      judged 2 entries of 2 requests for locks: exclusion, tokens, fencing, answers, quorum',
      ),
    )
    assert.ok(
      lines.includes('  mutex  2 entries of 2 requests, tokens up to 2, 0 writes with them'),
      lines.join('\n'),
    )
  })

  it('says whose promise is broken, and how', () => {
    const text = told(false, [2, 1])
    assert.match(text, /^ok {6}judged 0 events: completeness/m)
    assert.match(text, /^FAILED {2}judged 2 entries/m)
    assert.match(
      text,
      /^ {2}tokens at 120 ms: n2.1 in door with token 1 enters after n1.1 in door with token 2$/m,
    )
  })

  it('tells how soon deaths, stalls and heals were noticed, where there were any', () => {
    const killed = { count: 12, medianMs: 470.4, worstMs: 612.6 }
    const stalled = { count: 1, medianMs: 2000, worstMs: 2000 }
    const times: NoticeTimes = { killed, stopped: null, left: null, stalled, healed: null }
    const lines = told(false, [1, 2], times).split('\n')
    const deaths =
      'deaths  median 470 ms, worst 613 ms from SIGKILL or power cut until shown dead, of 12 rows'
    const stalls = 'stalls  median 2000 ms, worst 2000 ms from SIGSTOP until shown stalled, of 1 row'
    const shown = lines.filter((line) => / median /.test(line)).map((line) => line.trim())
    assert.deepEqual(shown, [deaths, stalls])
    assert.deepEqual(JSON.parse(told(true, [1, 2], times)).times.killed, {
      ...killed,
    })
  })

  it('says in which step it failed, what everybody showed then, and that the machine was busy', () => {
    const failed: Partial<TestnetVerdict> = {
      ...{ verdict: 'fail', folder: '/t', load: { cores: 2, before: 8.4, after: 9 } },
      failure: { code: 'ERR_TESTNET', message: 'after 20 ms n1 shows n2 alive, not dead', step: 'waiting' },
      shown: [
        { observer: 'n1', rows: { n1: 'alive', n2: 'alive', n3: 'dead' } },
        { observer: 'n2', rows: { n1: 'suspect (stalled)', n2: 'alive', n3: '-' } },
      ],
    }
    const text = told(false, [1, 2], undefined, failed)
    assert.match(text, /^FAILED {2}waiting: after 20 ms n1 shows n2 alive, not dead$/m)
    assert.match(text, /^ {2}failed: ERR_TESTNET: waiting: after 20 ms n1 shows n2 alive, not dead$/m)
    const lines = [
      '        n1                 n2     n3',
      '    n1  alive              alive  dead',
      '    n2  suspect (stalled)  alive  -',
    ]
    assert.ok(text.includes(`\n${lines.join('\n')}\n`), text)
    assert.match(text, /^The machine was busy \(load 8.4 on 2 cores before it began\)/m)
    assert.match(text, /^Logs \(n1.log …\) .* are kept in \/t\.$/m)
    assert.doesNotMatch(told(false, [1, 2]), /busy|Logs/)
    const calm = { cores: 2, before: 1, after: 9 }
    assert.doesNotMatch(told(false, [1, 2], undefined, { ...failed, load: calm }), /busy/)
  })

  it('gives programs the figures of locks', () => {
    const { mutex, violations } = JSON.parse(told(true, [1, 2]))
    assert.deepEqual(violations, [])
    assert.deepEqual(
      [mutex.entries, mutex.requests, mutex.highestToken, mutex.longestWaitMs, mutex.jain],
      [2, 2, 2, 20, 1],
    )
  })
})

import assert from 'node:assert/strict'
import { textReporter } from '../../../testnet/cluster/report.ts'

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

  it('says how to talk to each peer, and how to let two of them talk', () => {
    assert.deepEqual(told('n1', 'n2', 'n3').slice(1), [
      '  members --data /t/n1',
      '  members --data /t/n2',
      '  members --data /t/n3',
      'Let them talk, in two terminals:',
      '  sub all --data /t/n1',
      '  pub all hello --data /t/n2',
      '',
    ])
  })

  it('does not where there is one peer alone', () => {
    assert.deepEqual(told('n1').slice(1), ['  members --data /t/n1', ''])
  })
})

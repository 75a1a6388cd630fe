import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { commandModules } from '../../bin/command-modules.ts'
import { type CommandSpec, commandTable, runSpec } from '../../bin/command-table.ts'
import { renderScript } from '../../bin/commands/completion.ts'

function verbs(spec: CommandSpec, path: string): readonly { spec: CommandSpec; path: string }[] {
  const below = (spec.subcommands ?? []).flatMap((sub) => verbs(sub, `${path} ${sub.name}`))
  return spec.subcommands === undefined || spec.standsAlone ? [{ spec, path }, ...below] : below
}

const all = [
  { spec: runSpec, path: 'p2pd' },
  ...commandTable.flatMap((spec) => verbs(spec, `p2pd ${spec.name}`)),
]

describe('the command table', () => {
  it('names a module for every verb, and no other', () => {
    assert.deepEqual(Object.keys(commandModules).sort(), all.map(({ path }) => path).sort())
  })

  for (const { spec, path } of all) {
    it(`has an example of '${path}'`, () => {
      assert.ok(spec.examples.some(([line]) => line.startsWith(path) || line.includes(`(${path}`)))
    })
  }
})

describe('the completion script', () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    it(`for ${shell} knows every verb and every option`, () => {
      const script = renderScript(shell)
      for (const { spec } of all) {
        if (spec !== runSpec) assert.ok(script.includes(spec.name), spec.name)
        for (const { flags } of spec.options ?? []) {
          const name = /--([a-z-]+)/.exec(flags)?.[1] ?? ''
          assert.ok(script.includes(shell === 'fish' ? `-l ${name}` : `--${name}`), flags)
        }
      }
    })
  }

  const completions: readonly { typed: readonly string[]; offers: readonly string[] }[] = [
    { typed: ['p2pd', 'me'], offers: ['members'] },
    { typed: ['p2pd', '--pro'], offers: ['--profile'] },
    { typed: ['p2pd', '--profile', ''], offers: ['lan', 'local', 'wan'] },
    { typed: ['p2pd', 'members', '--st'], offers: ['--status'] },
    { typed: ['p2pd', 'members', '--status', 'a'], offers: ['alive'] },
    {
      typed: ['p2pd', '--json', 'peers', ''],
      offers: ['allow', 'deny', 'list', '--data', '--json', '--help'],
    },
    { typed: ['p2pd', 'members', '--t'], offers: ['--tag'] },
    { typed: ['p2pd', 'tags', '--'], offers: ['--set', '--delete', '--data', '--json', '--help'] },
    { typed: ['p2pd', 'force'], offers: ['force-leave'] },
    { typed: ['p2pd', '--md'], offers: ['--mdns'] },
    { typed: ['p2pd', 'peers', 'allow', '--y'], offers: ['--yes'] },
    { typed: ['p2pd', 'completion', 'f'], offers: ['fish'] },
    { typed: ['p2pd', 'ping', '--count', ''], offers: [] },
    { typed: ['p2pd', 'trace', 'biome.j'], offers: ['biome.json'] },
    { typed: ['p2pd', 'trace', '--sh'], offers: ['--shiviz'] },
    { typed: ['p2pd', 'groups', 'l'], offers: ['leave'] },
    { typed: ['p2pd', 'sub', 'g', '--order', ''], offers: ['causal'] },
    { typed: ['p2pd', 'lock', 'deploy', '--w'], offers: ['--wait'] },
    { typed: ['p2pd', 'try-lock', 'deploy', '--', 'biome.j'], offers: ['biome.json'] },
    { typed: ['p2pd', 'voters', 'r'], offers: ['remove', 'recover'] },
  ]
  for (const { typed, offers } of completions) {
    it(`in bash offers ${offers.join(', ') || 'nothing'} for '${typed.join(' ')}'`, () => {
      const words = typed.map((word) => `'${word}'`).join(' ')
      const ask = `COMP_WORDS=(${words}); COMP_CWORD=${typed.length - 1}; _p2pd; printf '%s\\n' "\${COMPREPLY[@]}"`
      const bash = spawnSync('bash', ['--norc', '-c', `${renderScript('bash')}\n${ask}`], {
        encoding: 'utf8',
      })
      assert.equal(bash.stderr, '')
      assert.deepEqual(
        bash.stdout
          .split('\n')
          .filter((line) => line !== '')
          .sort(),
        [...offers].sort(),
      )
    })
  }
})

import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  type CommandSpec,
  commandTable,
  commonOptions,
  runSpec,
  versionOption,
} from '../../bin/command-table.ts'
import { type Route, routes } from '../../daemon/control/routes.ts'
import { exitCodeOf } from '../../daemon/exit-code.ts'
import { loadPlugins } from '../../daemon/plugins/load.ts'
import type { ErrorCode } from '../../lib/wire/errors.ts'
import { root, sources } from './imports.ts'

const read = (file: string) => readFileSync(join(root, file), 'utf8')

const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  'plugins/README.md',
]

/** What stands in code, inline or in a block: the only places that name commands. */
function code(document: string): readonly string[] {
  const text = read(document)
  const blocks = [...text.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].flatMap(
    ([, block]) => block?.split('\n') ?? [],
  )
  const inline = [...text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(
    ([, span]) => span ?? '',
  )
  return [...blocks, ...inline]
}

const lines = documents.flatMap((document) => code(document).map((line) => ({ document, line })))

/** Each `p2pd …` on a line, without prompt, comment and what follows a pipe. */
function invocations(line: string): readonly string[][] {
  const bare = line.replace(/\s#\s.*$/, '')
  return [...bare.matchAll(/(?:^|[\s'(])p2pd((?:\s+[^|><'&;)]+)?)/g)].map(([, rest]) =>
    (rest ?? '').split(/\s+/).filter((word) => word !== ''),
  )
}

const longFlags = (spec: CommandSpec) =>
  [...(spec.options ?? []), ...commonOptions].flatMap(({ flags }) => flags.match(/--?[a-z][a-z-]*/gi) ?? [])

/** Of the plugin in the examples, which the documents show. */
const exampleVerbs: readonly CommandSpec[] = [
  ...read('examples/hello-plugin.mjs').matchAll(/name: '(\w+)'[^}]*examples: /g),
].map(([, name]) => ({ name: name ?? '', summary: '', examples: [] }))

function findSpec(words: readonly string[]): {
  readonly spec: CommandSpec
  readonly rest: readonly string[]
} {
  const [verb, subverb] = words
  const spec = [...commandTable, ...exampleVerbs].find(({ name }) => name === verb)
  if (spec === undefined) return { spec: runSpec, rest: words }
  const sub = spec.subcommands?.find(({ name }) => name === subverb)
  return sub === undefined ? { spec, rest: words.slice(1) } : { spec: sub, rest: words.slice(2) }
}

function complaint(words: readonly string[]): string | undefined {
  const { spec, rest } = findSpec(words)
  if (spec === runSpec && rest[0] !== undefined && /^[a-z-]+$/.test(rest[0]) && !rest[0].startsWith('-')) {
    return `there is no verb '${rest[0]}'`
  }
  const known = new Set([...longFlags(spec), ...(versionOption.flags.match(/--?\w+/g) ?? []), '--help'])
  const unknown = rest.find((word) => /^--[a-z]/.test(word) && !known.has(word.replace(/[=,.].*$/, '')))
  return unknown === undefined ? undefined : `'${spec.name}' has no ${unknown}`
}

describe('the documents', () => {
  it('name only npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Record<string, string> }
    const named = lines.flatMap(({ document, line }) =>
      [...line.matchAll(/npm (?:run )?([a-z][\w:-]*)/g)].map(([whole, script]) => ({
        document,
        whole,
        script,
      })),
    )
    const builtin = new Set(['ci', 'install', 'pack', 'test', 'start', 'run'])
    const wrong = named.filter(({ whole, script }) => {
      if (!whole.startsWith('npm run') && builtin.has(script ?? '')) return false
      return scripts[script ?? ''] === undefined
    })
    assert.deepEqual(wrong, [])
    assert.ok(named.length > 5)
  })

  it('name only verbs and flags that p2pd has', () => {
    assert.equal(complaint(['member']), "there is no verb 'member'")
    assert.equal(complaint(['members', '--wtach']), "'members' has no --wtach")
    assert.deepEqual(invocations("m1$ p2pd invite | ssh m2 'p2pd --invite -'  # over ssh"), [
      ['invite'],
      ['--invite', '-'],
    ])
    const found = lines.flatMap(({ document, line }) =>
      invocations(line).map((words) => ({ document, words, wrong: complaint(words) })),
    )
    assert.deepEqual(
      found.filter(({ wrong }) => wrong !== undefined).map(({ document, wrong }) => `${document}: ${wrong}`),
      [],
    )
    assert.ok(found.length > 20)
  })

  it('show every verb in the README', () => {
    const readme = code('README.md').flatMap(invocations)
    const shown = new Set(readme.map((words) => findSpec(words).spec.name))
    const missing = [runSpec, ...commandTable].filter((spec) => !shown.has(spec.name) && !spec.subcommands)
    assert.deepEqual(
      missing.map(({ name }) => name),
      [],
    )
  })

  it('list every error code that is thrown, and no other', () => {
    const section = read('docs/OPERATIONS.md').split('## Error codes')[1]?.split('\n## ')[0] ?? ''
    const listed = [...section.matchAll(/^\| `(ERR_[A-Z0-9_]+)` \|/gm)].map(([, name]) => name ?? '')
    // Caught from Node, never thrown by p2pd.
    const foreign = new Set(['ERR_HTTP_REQUEST_TIMEOUT', 'ERR_SOCKET_BAD_PORT'])
    const thrown = new Set(
      sources(['lib', 'daemon', 'bin', 'testnet', 'plugins'])
        .flatMap((file) => read(file).match(/(?<=')ERR_[A-Z0-9_]+(?=')/g) ?? [])
        .filter((name) => !foreign.has(name)),
    )
    assert.deepEqual(listed, [...new Set(listed)], 'each once')
    for (const [, name, exit] of section.matchAll(/^\| `(ERR_\w+)` \| (\d+) \|/gm)) {
      assert.equal(Number(exit), exitCodeOf(name as ErrorCode), name)
    }
    assert.deepEqual(listed.toSorted(), [...thrown].toSorted())
  })

  it('name every route of the control API', async () => {
    const operations = read('docs/OPERATIONS.md')
    const { routes: ofPlugins } = await loadPlugins([], { expect: undefined })
    const all: readonly Route[] = [...Object.values(routes), ...ofPlugins.map(({ route }) => route)]
    const missing = all.filter(({ method, path }) => !operations.includes(`\`${method} ${path}\``))
    assert.deepEqual(
      missing.map(({ method, path }) => `${method} ${path}`),
      [],
    )
  })

  it('list every metric, and no other', () => {
    const section = read('docs/OPERATIONS.md').split('## Metrics')[1]?.split('\n## ')[0] ?? ''
    const listed = [...section.matchAll(/`(p2pd_\w+)`/g)].map(([, name]) => name ?? '')
    const exported = ['daemon/metrics.ts', 'plugins/mutex/metrics.ts'].flatMap((file) =>
      [...read(file).matchAll(/'(p2pd_\w+)'/g)].map(([, name]) => name ?? ''),
    )
    assert.deepEqual(listed.toSorted(), exported.toSorted())
  })

  it('link only to files that exist', () => {
    const broken = documents.flatMap((document) =>
      [...read(document).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map(([, target]) => target ?? '')
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => !existsSync(join(root, dirname(document), target)))
        .map((target) => `${document}: ${target}`),
    )
    assert.deepEqual(broken, [])
  })

  it('name only source files that exist', () => {
    const named = lines.flatMap(({ document, line }) =>
      [
        ...line.matchAll(
          /(?:^|[\s(])((?:bin|daemon|plugins|lib|testnet|test|bench|examples|deploy|\.ci)\/[\w./-]*\w\.\w+)/g,
        ),
      ].map(([, path]) => ({ document, path: path ?? '' })),
    )
    assert.deepEqual(
      named.filter(({ path }) => !existsSync(join(root, path))),
      [],
    )
    assert.ok(named.length > 10)
  })
})

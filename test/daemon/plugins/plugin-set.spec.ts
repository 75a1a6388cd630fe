import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { commandTable, runSpec } from '../../../bin/command-table.ts'
import { statusAnswer } from '../../../daemon/control/schemas.ts'
import { examinePlugin } from '../../../daemon/plugins/examine.ts'
import { pluginSet } from '../../../daemon/plugins/plugin-set.ts'
import { reservedMetricWords, reservedStatusKeys, reservedVerbs } from '../../../daemon/plugins/reserved.ts'
import { P2pdError } from '../../../lib/wire/errors.ts'
import type { Plugin, PluginRoute } from '../../../plugins/contract.ts'
import { root } from '../../repository/imports.ts'
import { type GreeterApi, greeter, greeterRoutes } from '../support/greeter.ts'

const bare: Plugin = { name: 'bare', needs: [], run: () => ({ api: {} }) }

function refuses(act: () => unknown, says: RegExp): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof P2pdError, String(error))
    assert.equal(error.code, 'ERR_BAD_PLUGIN')
    assert.match(error.message, says)
    assert.ok(error.hint)
    return true
  })
}

const route = (changes: object): PluginRoute =>
  ({ method: 'GET', path: '/v1/bare', summary: 'x', handle: () => ({}), ...changes }) as PluginRoute
const routed = (changes: object): Plugin => ({ ...bare, routes: () => [route(changes)] })

describe('a plugin', () => {
  it('needs no more than a name, its needs and run', () => {
    assert.equal(examinePlugin(bare, './bare.mjs'), bare)
    assert.deepEqual(pluginSet([bare]).rows, [{ name: 'bare', verbs: [], routes: [] }])
  })

  const wrong: readonly { readonly value: unknown; readonly says: RegExp }[] = [
    { value: undefined, says: /plugin: / },
    { value: 'hello', says: /plugin: / },
    { value: { ...bare, name: 'Hello World' }, says: /plugin\.name: must be lower case/ },
    { value: { ...bare, needs: ['world'] }, says: /plugin\.needs\[0\]/ },
    { value: { ...bare, run: undefined }, says: /plugin\.run: must be a function/ },
    { value: { ...bare, routes: [] }, says: /plugin\.routes: must be a function/ },
    { value: { ...bare, verbs: [{ name: 'x' }] }, says: /plugin\.verbs\[0\]\.summary/ },
    { value: { ...bare, verbs: Array(33).fill(greeter.verbs?.[0]) }, says: /plugin\.verbs/ },
    {
      value: { ...bare, verbs: [{ ...greeter.verbs?.[0], arguments: [] }] },
      says: /verbs\[0\]: does not fill each segment/,
    },
    {
      value: {
        ...bare,
        verbs: [
          {
            ...greeter.verbs?.[1],
            arguments: [
              { name: 'a', summary: 'x', optional: true },
              { name: 'b', summary: 'x' },
            ],
          },
        ],
      },
      says: /not optional after one that is/,
    },
    {
      value: { ...bare, metrics: [{ ...greeter.metrics?.[0], type: 'gauge' }] },
      says: /metrics\[0\]: ends in _total if it is a counter/,
    },
    { value: { ...bare, metrics: [{ ...greeter.metrics?.[0], name: 'greetings_total' }] }, says: /p2pd_/ },
    { value: { ...bare, status: { keys: ['a'] } }, says: /plugin\.status\.read/ },
    { value: { ...bare, errorStatus: { ERR_X: 200 } }, says: /plugin\.errorStatus/ },
  ]
  for (const { value, says } of wrong) {
    it(`is none where ${says.source}`, () => refuses(() => examinePlugin(value, './x.mjs'), says))
  }

  const wrongRoutes: readonly { readonly plugin: Plugin; readonly says: RegExp }[] = [
    { plugin: routed({ path: '/bare' }), says: /routes\[0\]\.path: must be like/ },
    { plugin: routed({ path: '/v1/Bare' }), says: /routes\[0\]\.path/ },
    { plugin: routed({ path: '/v1/*' }), says: /routes\[0\]\.path/ },
    { plugin: routed({ path: '/v1/:a/:a' }), says: /names a segment of its path twice/ },
    { plugin: routed({ method: 'DELETE' }), says: /routes\[0\]\.method/ },
    { plugin: routed({ handle: undefined }), says: /either handle or stream/ },
    { plugin: routed({ stream: () => {} }), says: /either handle or stream/ },
    { plugin: routed({ body: z.object({}) }), says: /GET does not have/ },
    { plugin: routed({ query: {} }), says: /must be a schema of zod 4/ },
    {
      plugin: {
        ...bare,
        routes: () => {
          throw new Error('no luck\n  at')
        },
      },
      says: /its routes failed: no luck$/,
    },
    { plugin: routed({ path: '/v1/status' }), says: /p2pd itself has GET \/v1\/status already/ },
    { plugin: routed({ path: '/v1/groups/all/messages' }), says: /p2pd itself has GET \/v1\/groups\/:group/ },
    { plugin: routed({ path: '/v1/:anything' }), says: /p2pd itself has GET \/v1\/status/ },
    {
      plugin: { ...bare, routes: () => [route({ path: '/v1/a/:b' }), route({ path: '/v1/a/:c' })] },
      says: /it has GET \/v1\/a\/:b already/,
    },
    {
      plugin: {
        ...bare,
        verbs: [{ name: 'x', summary: 'x', examples: [['x', 'x']], method: 'GET', path: '/v1/members' }],
      },
      says: /its verb 'x' asks GET \/v1\/members, which is no route of it/,
    },
  ]
  for (const { plugin, says } of wrongRoutes) {
    it(`is none where ${says.source}`, () => refuses(() => pluginSet([plugin]), says))
  }

  it('is none where the peer would refuse it', () => {
    const link = { maxFrameBytes: 0, queueBytes: 1, queueFrames: 1 }
    refuses(() => pluginSet([{ ...bare, link }]), /the link of bare has limits that make no sense/)
    const many = Array.from({ length: 17 }, (_, at) => ({ ...bare, name: `bare-${at}` }))
    refuses(() => pluginSet(many), /more than 16 plugins/)
  })

  it('may have routes that overlap among themselves: the plain one wins', () => {
    const routes = () => [route({ path: '/v1/a/:b' }), route({ path: '/v1/a/b' })]
    assert.equal(pluginSet([{ ...bare, routes }]).routes.length, 2)
  })
})

describe('plugins beside each other', () => {
  const other = (changes: Partial<Plugin<GreeterApi>>): Plugin<GreeterApi> => ({
    name: 'other',
    needs: [],
    run: greeter.run,
    ...changes,
  })
  const verb = { name: 'greet', summary: 'x', examples: [['x', 'x']], method: 'GET', path: '/v1/x' } as const
  const routes = () => [route({ path: '/v1/x' })]

  const clashes: readonly { readonly second: Plugin<GreeterApi>; readonly says: RegExp }[] = [
    { second: other({ name: 'greeter' }), says: /'greeter' has the name 'greeter' already/ },
    { second: other({ verbs: [verb], routes }), says: /'greeter' has the verb 'greet' already/ },
    { second: other({ status: { keys: ['greeter'], read: () => ({}) } }), says: /key of status 'greeter'/ },
    { second: other({ routes: () => greeterRoutes.slice(0, 1) }), says: /'greeter' has GET \/v1\/greetings/ },
    { second: other({ metrics: greeter.metrics ?? [] }), says: /does not begin with 'p2pd_other_'/ },
  ]
  for (const { second, says } of clashes) {
    it(`are refused where ${says.source}`, () => refuses(() => pluginSet([greeter, second]), says))
  }
})

describe('what belongs to p2pd itself', () => {
  const named = (changes: Partial<Plugin>): Plugin => ({ ...bare, ...changes })
  const metric = { help: 'x', type: 'gauge', samples: () => [] } as const

  it('is nobody’s to take', () => {
    const verb = { summary: 'x', examples: [['x', 'x']], method: 'GET', path: '/v1/bare' } as const
    refuses(() => pluginSet([named({ name: 'membership' })]), /membership is taken by the peer itself/)
    refuses(() => pluginSet([{ ...routed({}), verbs: [{ ...verb, name: 'lock' }] }]), /the verb 'lock'/)
    refuses(
      () => pluginSet([named({ name: 'group', metrics: [{ ...metric, name: 'p2pd_group_x' }] })]),
      /'p2pd_group…'/,
    )
    refuses(
      () => pluginSet([named({ status: { keys: ['members'], read: () => ({}) } })]),
      /'members' in status/,
    )
  })

  it('is all of the command table', () => {
    const verbs = [runSpec, ...commandTable].map(({ name }) => name)
    assert.deepEqual(
      verbs.filter((name) => !reservedVerbs.has(name)),
      [],
    )
  })

  it('is every metric of the daemon', () => {
    const source = readFileSync(join(root, 'daemon/metrics.ts'), 'utf8')
    const words = [...source.matchAll(/'p2pd_([a-z]+)/g)].map(([, word]) => word ?? '')
    assert.ok(words.length > 40)
    assert.deepEqual(
      words.filter((word) => !reservedMetricWords.has(word)),
      [],
    )
  })

  it('is every key of status but those that it leaves to a plugin', () => {
    const left = Object.keys(statusAnswer.shape).filter((key) => !reservedStatusKeys.has(key))
    assert.deepEqual(left, ['quorum', 'locks'])
  })
})

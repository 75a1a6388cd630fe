/** The plugins of a daemon, and that none takes what belongs to the daemon or to another. */
import { z } from 'zod'
import { pluginList } from '../../lib/plugin-list.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Plugin, PluginMetric, PluginRoute } from '../../plugins/contract.ts'
import { routes as ownRoutes, type Route } from '../control/routes.ts'
import type { PluginRow } from '../control/schemas.ts'
import { badPlugin, examineRoutes } from './examine.ts'
import { reservedMetricWords, reservedStatusKeys, reservedVerbs } from './reserved.ts'

export interface PluginSet {
  readonly plugins: readonly Plugin[]
  readonly routes: readonly OwnedRoute[]
  readonly metrics: readonly OwnedMetric[]
  /** HTTP status by error code. */
  readonly errorStatus: Readonly<Record<string, number>>
  readonly rows: readonly PluginRow[]
}

/** `plugin` is its name. */
export interface OwnedRoute {
  readonly plugin: string
  readonly route: PluginRoute
}

export interface OwnedMetric {
  readonly plugin: string
  readonly metric: PluginMetric
}

/** Calls `routes` of each. Throws ERR_BAD_PLUGIN. */
export function pluginSet(plugins: readonly Plugin[]): PluginSet {
  assertOnce(plugins, 'name', ({ name }) => [name])
  // What the peer would refuse too, but only once the directory is open.
  pluginList(Object.fromEntries(plugins.map((plugin) => [plugin.name, plugin])))
  const routes = plugins.flatMap((plugin) =>
    examineRoutes(plugin, { z, P2pdError }).map((route) => ({ plugin: plugin.name, route })),
  )
  for (const [at, owned] of routes.entries()) assertFree(owned, routes.slice(0, at))
  for (const plugin of plugins) assertNoneReserved(plugin, routes)
  assertOnce(plugins, 'verb', ({ verbs = [] }) => verbs.map(({ name }) => name))
  assertOnce(plugins, 'metric', ({ metrics = [] }) => metrics.map(({ name }) => name))
  assertOnce(plugins, 'key of status', ({ status }) => status?.keys ?? [])
  return {
    plugins,
    routes,
    metrics: plugins.flatMap(({ name, metrics = [] }) => metrics.map((metric) => ({ plugin: name, metric }))),
    errorStatus: Object.assign({}, ...plugins.map(({ errorStatus }) => errorStatus)),
    rows: plugins.map((plugin) => toRow(plugin, routes)),
  }
}

/** What the plugins say of themselves; a key of one that fails is left out, and `failed` is told. */
export function pluginStatus(
  { plugins }: PluginSet,
  apis: Readonly<Record<string, unknown>>,
  failed: (plugin: string, error: unknown) => void,
): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const { name, status } of plugins) {
    if (status === undefined) continue
    try {
      const values = status.read(apis[name])
      for (const key of status.keys) if (values[key] !== undefined) found[key] = values[key]
    } catch (error) {
      failed(name, error)
    }
  }
  return found
}

function assertNoneReserved(plugin: Plugin, routes: readonly OwnedRoute[]): void {
  const { name, verbs = [], metrics = [], status } = plugin
  for (const verb of verbs) {
    if (reservedVerbs.has(verb.name)) throw badPlugin(name, `p2pd itself has the verb '${verb.name}'`, rename)
    const asked = routes.find(
      ({ plugin: owner, route }) =>
        owner === name && route.method === verb.method && route.path === verb.path,
    )
    if (asked === undefined) {
      throw badPlugin(
        name,
        `its verb '${verb.name}' asks ${verb.method} ${verb.path}, which is no route of it`,
      )
    }
  }
  const prefix = `p2pd_${name.replaceAll('-', '_')}_`
  for (const metric of metrics) {
    if (!metric.name.startsWith(prefix)) {
      throw badPlugin(name, `its metric '${metric.name}' does not begin with '${prefix}'`)
    }
    const word = metric.name.split('_')[1] ?? ''
    if (reservedMetricWords.has(word))
      throw badPlugin(name, `p2pd itself has the metrics 'p2pd_${word}…'`, rename)
  }
  const taken = status?.keys.find((key) => reservedStatusKeys.has(key))
  if (taken !== undefined) throw badPlugin(name, `p2pd itself has '${taken}' in status`, rename)
}

const rename = { hint: 'give it another name' }

/** A plugin's own routes may overlap: the one without `:name` wins. */
function assertFree({ plugin, route }: OwnedRoute, before: readonly OwnedRoute[]): void {
  const own = Object.values<Route>(ownRoutes).find((known) => overlap(known, route))
  const others = before.find(({ plugin: owner, route: known }) =>
    owner === plugin ? isSame(known, route) : overlap(known, route),
  )
  if (own === undefined && others === undefined) return
  const owner =
    own === undefined ? (others?.plugin === plugin ? 'it' : `plugin '${others?.plugin}'`) : 'p2pd itself'
  const known = own ?? others?.route
  throw badPlugin(plugin, `${owner} has ${known?.method} ${known?.path} already`, rename)
}

function overlap(a: Route, b: Route): boolean {
  const [left, right] = [a.path.split('/'), b.path.split('/')]
  const meets = (part: string, at: number): boolean => {
    const other = right[at] ?? ''
    return part === other || part.startsWith(':') || other.startsWith(':')
  }
  return a.method === b.method && left.length === right.length && left.every(meets)
}

function isSame(a: Route, b: Route): boolean {
  const shape = ({ method, path }: Route): string => `${method} ${path.replace(/:\w+/g, ':')}`
  return shape(a) === shape(b)
}

function assertOnce(
  plugins: readonly Plugin[],
  what: string,
  namesOf: (plugin: Plugin) => readonly string[],
): void {
  const owners = new Map<string, string>()
  for (const plugin of plugins) {
    for (const name of namesOf(plugin)) {
      const owner = owners.get(name)
      if (owner !== undefined) {
        throw badPlugin(plugin.name, `plugin '${owner}' has the ${what} '${name}' already`, rename)
      }
      owners.set(name, plugin.name)
    }
  }
}

function toRow({ name, verbs = [] }: Plugin, routes: readonly OwnedRoute[]): PluginRow {
  const own = routes.filter(({ plugin }) => plugin === name).map(({ route }) => route)
  return {
    name,
    verbs: verbs.map((verb) => ({
      name: verb.name,
      summary: verb.summary,
      examples: verb.examples.map(([line, meaning]) => ({ line, meaning })),
      arguments: (verb.arguments ?? []).map(({ name, summary, optional = false }) => ({
        name,
        summary,
        optional,
      })),
      method: verb.method,
      path: verb.path,
      streams: own.some((route) => isOf(route, verb) && 'stream' in route),
    })),
    routes: own.map((route) => ({
      method: route.method,
      path: route.path,
      summary: route.summary,
      streams: 'stream' in route,
    })),
  }
}

function isOf(route: PluginRoute, { method, path }: { method: string; path: string }): boolean {
  return route.method === method && route.path === path
}

/** From names and paths to the plugins of this daemon; before anything touches the disk. */
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Plugin } from '../../plugins/contract.ts'
import { type BuiltInOptions, builtIn } from './built-in.ts'
import { badPlugin, examinePlugin, firstLine } from './examine.ts'
import { importModule } from './import-module.ts'
import { placeOf } from './module-place.ts'
import { type PluginSet, pluginSet } from './plugin-set.ts'

/** A module, and the folder from which its path is meant. */
export interface PluginModule {
  readonly module: string
  readonly folder: string
}

/**
 * The built-in plugins, and those that are named besides.
 *
 * A module runs with all the rights of the daemon from the moment at which it is
 * loaded. Errors: ERR_PLUGIN_NOT_FOUND, ERR_BAD_PLUGIN.
 */
export async function loadPlugins(
  modules: readonly PluginModule[],
  options: BuiltInOptions,
): Promise<PluginSet> {
  const own = await Promise.all(Object.values(builtIn).map((make) => make(options)))
  const named = modules.filter(({ module }) => !Object.hasOwn(builtIn, module))
  const others: Plugin[] = []
  for (const module of named) others.push(await loadModule(module))
  return pluginSet([...own, ...others])
}

async function loadModule({ module, folder }: PluginModule): Promise<Plugin> {
  const url = await placeOf(module, folder)
  if (url === undefined) throw notFound(module, folder)
  let exported: unknown
  try {
    exported = await importModule(url.href)
  } catch (cause) {
    throw badPlugin(module, `it cannot be loaded: ${firstLine(cause)}`, {
      hint: `node ${url.pathname} shows more`,
      cause,
    })
  }
  const plugin: unknown = Reflect.get(Object(exported), 'plugin')
  if (plugin === undefined) throw badPlugin(module, "it exports nothing that is called 'plugin'")
  return examinePlugin(plugin, module)
}

function notFound(module: string, folder: string): P2pdError {
  const name = JSON.stringify(module.slice(0, 256))
  return new P2pdError('ERR_PLUGIN_NOT_FOUND', `there is no plugin ${name}, seen from ${folder}`, {
    hint: 'give a path, like ./hello-plugin.mjs, or the name of a package that is installed',
  })
}

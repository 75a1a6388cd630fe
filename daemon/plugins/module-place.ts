/** Where the module is that a user names as a plugin: a file, or a package. */
import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** What `exports` of a package may depend on, and is true here. */
const conditions: ReadonlySet<string> = new Set(['node', 'import', 'default'])

/**
 * `module` is a path from `folder`, an absolute path, a file URL, or a package
 * that `folder` or this installation of p2pd finds in a `node_modules` above it.
 * Undefined when there is no such file or package.
 */
export async function placeOf(module: string, folder: string): Promise<URL | undefined> {
  const path = pathOf(module, folder)
  if (path !== undefined) return await fileAt(path)
  // `hello.mjs` is no name that a package would have.
  const file = /\.[cm]?js$/.test(module) ? await fileAt(resolve(folder, module)) : undefined
  const own = dirname(fileURLToPath(import.meta.url))
  return file ?? (await packageAbove(module, folder)) ?? (await packageAbove(module, own))
}

function pathOf(module: string, folder: string): string | undefined {
  if (module.startsWith('file:')) {
    try {
      return fileURLToPath(module)
    } catch {
      return undefined
    }
  }
  return isAbsolute(module) || /^\.{1,2}\//.test(module) ? resolve(folder, module) : undefined
}

async function fileAt(path: string): Promise<URL | undefined> {
  const found = await stat(path).catch(() => undefined)
  // A link is followed, as by Node: what it imports is looked for where it lies.
  return found?.isFile() ? pathToFileURL(await realpath(path)) : undefined
}

/** `require.resolve` is of no use here: it does not see packages that may only be imported. */
async function packageAbove(module: string, folder: string): Promise<URL | undefined> {
  const [, name, below] = /^((?:@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*)(\/[^?#]+)?$/.exec(module) ?? []
  if (name === undefined) return undefined
  for (let at = resolve(folder); ; at = dirname(at)) {
    const root = join(at, 'node_modules', name)
    const manifest = await readFile(join(root, 'package.json'), 'utf8').catch(() => undefined)
    if (manifest !== undefined) {
      const entry = entryOf(manifest, `.${below ?? ''}`)
      return entry === undefined ? undefined : await fileAt(join(root, entry))
    }
    if (at === dirname(at)) return undefined
  }
}

function entryOf(manifest: string, below: string): string | undefined {
  let fields: unknown
  try {
    fields = JSON.parse(manifest)
  } catch {
    return undefined
  }
  const exported = field(fields, 'exports')
  if (exported === undefined || exported === null) {
    if (below !== '.') return below
    const main = field(fields, 'main')
    return typeof main === 'string' ? main : 'index.js'
  }
  return target(isMap(exported) ? field(exported, below) : below === '.' ? exported : undefined)
}

/** The keys of a map of paths begin with a dot; those of conditions do not. */
function isMap(exported: unknown): boolean {
  return typeof exported === 'object' && Object.keys(exported ?? {}).some((key) => key.startsWith('.'))
}

function target(exported: unknown): string | undefined {
  if (typeof exported === 'string') return exported
  if (typeof exported !== 'object' || exported === null) return undefined
  for (const [condition, value] of Object.entries(exported)) {
    if (!Array.isArray(exported) && !conditions.has(condition)) continue
    const found = target(value)
    if (found !== undefined) return found
  }
  return undefined
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

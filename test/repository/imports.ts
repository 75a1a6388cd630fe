import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's root, from dist/test/repository/. */
export const root = fileURLToPath(new URL('../../../', import.meta.url))

export interface Import {
  /** Repository path of the importing file, with `/`. */
  readonly from: string
  /** Repository path, when the import is relative; otherwise the specifier as written. */
  readonly to: string
  readonly relative: boolean
  /** Erased by the compiler. */
  readonly typeOnly: boolean
  /** `import('…')`, loaded when reached. */
  readonly dynamic: boolean
}

const sourceFolders = ['bin', 'daemon', 'plugins', 'lib', 'testnet', 'bench', 'test', 'examples'] as const

/** Repository paths of every TypeScript source below `folders`. */
export function sources(folders: readonly string[] = sourceFolders): readonly string[] {
  return folders.flatMap((folder) => {
    try {
      return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.m?[jt]s$/.test(entry.name))
        .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
        .sort()
    } catch {
      return []
    }
  })
}

const comments = /\/\*[\s\S]*?\*\/|(?<![:'"`])\/\/[^\n]*/g
const statements = [
  { dynamic: false, pattern: /^\s*(?:import|export)\s+(type\s)?[^;'"()]*?\sfrom\s+'([^']+)'/gm },
  { dynamic: false, pattern: /^\s*import\s+()'([^']+)'/gm },
  { dynamic: true, pattern: /\bimport()\(\s*'([^']+)'\s*\)/g },
] as const

export function importsOf(file: string, text = readFileSync(join(root, file), 'utf8')): readonly Import[] {
  const code = text.replace(comments, '')
  return statements.flatMap(({ dynamic, pattern }) =>
    [...code.matchAll(pattern)].map((match): Import => {
      const specifier = match[2] ?? ''
      const inside = specifier.startsWith('.')
      return {
        from: file,
        to: inside ? posix.normalize(posix.join(dirname(file), specifier)) : specifier,
        relative: inside,
        typeOnly: match[1] !== undefined && match[1] !== '',
        dynamic,
      }
    }),
  )
}

export function allImports(folders?: readonly string[]): readonly Import[] {
  return sources(folders).flatMap((file) => importsOf(file))
}

/** `@scope/name` or `name` of a bare specifier; `node:` modules as they are. */
export function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** What is loaded when `entry` is: static imports that survive compilation, transitively. */
export function loadedBy(entry: string): { readonly files: Set<string>; readonly packages: Set<string> } {
  const files = new Set<string>([entry])
  const packages = new Set<string>()
  for (const file of files) {
    for (const found of importsOf(file)) {
      if (found.typeOnly || found.dynamic) continue
      if (found.relative) files.add(found.to)
      else packages.add(packageOf(found.to))
    }
  }
  return { files, packages }
}

/** The first cycle found among relative imports, as its path; undefined when there is none. */
export function findCycle(imports: readonly Import[]): readonly string[] | undefined {
  const edges = new Map<string, string[]>()
  for (const found of imports) {
    if (found.relative && !found.dynamic) edges.set(found.from, [...(edges.get(found.from) ?? []), found.to])
  }
  const done = new Set<string>()
  const walk = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
    if (done.has(file)) return undefined
    for (const next of edges.get(file) ?? []) {
      const cycle = walk(next, [...path, file])
      if (cycle !== undefined) return cycle
    }
    done.add(file)
    return undefined
  }
  for (const file of edges.keys()) {
    const cycle = walk(file, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}

/**
 * The daemon's code as the build joined it in one file, with what V8 had compiled of it when the
 * build let it run once: without that, compiling is half of a start.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { Script } from 'node:vm'

type DaemonModule = typeof import('./daemon.ts')

export interface CompiledBundle {
  readonly script: Script
  run(): DaemonModule
}

/** V8 takes only what the same version of it has compiled. */
export function codeCacheOf(bundle: string): string {
  return `${bundle}.${process.version}-${process.arch}.cache`
}

export function loadBundle(bundle: string): DaemonModule {
  const cache = readIfAny(codeCacheOf(bundle))
  // Node's own compile cache, where it has one, serves only what its own loader compiles.
  return cache === undefined ? createRequire(bundle)(bundle) : compileBundle(bundle, cache).run()
}

/** A script and no module, because on Node 20 nothing else can be compiled before. */
export function compileBundle(bundle: string, cachedData?: Buffer): CompiledBundle {
  const script = new Script(wrapped(bundle), {
    filename: bundle,
    ...(cachedData === undefined ? {} : { cachedData }),
  })
  return {
    script,
    run() {
      const module = { exports: {} as DaemonModule }
      const evaluate = script.runInThisContext()
      evaluate(module.exports, createRequire(bundle), module, bundle, dirname(bundle))
      return module.exports
    },
  }
}

const head = '(function (exports, require, module, __filename, __dirname) {'
const tail = '\n})'

/** Latin-1 and in one piece: the string stays in memory as long as the code. */
function wrapped(bundle: string): string {
  const file = openSync(bundle, 'r')
  try {
    const { size } = fstatSync(file)
    const source = Buffer.alloc(head.length + size + tail.length, tail, 'latin1')
    source.write(head, 'latin1')
    readSync(file, source, head.length, size, 0)
    source.write(tail, head.length + size, 'latin1')
    return source.toString('latin1')
  } finally {
    closeSync(file)
  }
}

function readIfAny(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

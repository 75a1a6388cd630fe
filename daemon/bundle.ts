/**
 * The daemon's code as the build joined it in one file, with what V8 had compiled of it when the
 * build let it run once: without that, compiling is half of a start.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { Script } from 'node:vm'
import { MessageChannel } from 'node:worker_threads'

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
  if (cache === undefined) return createRequire(bundle)(bundle)
  const { run } = compileBundle(bundle, cache)
  release(cache)
  return run()
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
  const source = readBetween(head, bundle, tail)
  const text = source.toString('latin1')
  release(source)
  return text
}

function readIfAny(path: string): Buffer<ArrayBuffer> | undefined {
  try {
    return readBetween('', path, '')
  } catch {
    return undefined
  }
}

/** A file's bytes, and Latin-1 around them, in memory of their own. */
function readBetween(before: string, path: string, after: string): Buffer<ArrayBuffer> {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const bytes = Buffer.alloc(before.length + size + after.length)
    bytes.write(before, 'latin1')
    readSync(file, bytes, before.length, size, 0)
    bytes.write(after, before.length + size, 'latin1')
    return bytes
  } finally {
    closeSync(file)
  }
}

/**
 * Frees megabytes now: an idle daemon makes so little garbage that nobody would look for them for
 * minutes. What is transferred to a port that closes is gone.
 */
function release({ buffer }: Buffer<ArrayBuffer>): void {
  const { port1, port2 } = new MessageChannel()
  port1.postMessage(undefined, [buffer])
  port1.close()
  port2.close()
}

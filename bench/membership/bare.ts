/**
 * What a start costs below our own protocols: a bare libp2p node, bundled and compiled beforehand as the daemon
 * is, until it has asked something of each of the others and heard the answer. A daemon is listed before it is
 * connected with all; so this is what its mesh costs, and no bound for being seen.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Reaper } from '../../testnet/cluster/reaper.ts'
import { type Child, readyOf, startChild } from './child.ts'

const rival = (name: string): string =>
  fileURLToPath(new URL(`../../../bench/rivals/${name}`, import.meta.url))

interface Bare {
  readonly child: Child
  readonly address: string
  readonly tookMs: number
}

/** @param size nodes that are there already @returns ms, a start each */
export async function measureBareStarts(
  size: number,
  starts: number,
  reaper: Reaper,
  signal: AbortSignal,
): Promise<number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'p2pd-bench-bare-'))
  const bundle = join(folder, 'bare.cjs')
  const running: Bare[] = []
  const start = async (how: 'warm' | 'run', targets: readonly string[]): Promise<Bare> => {
    const bare = await startBare([rival('bare-start.mjs'), bundle, how, ...targets], folder, reaper, signal)
    running.push(bare)
    return bare
  }
  try {
    await build({
      entryPoints: [rival('bare-libp2p.mjs')],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20.19',
      minifyWhitespace: true,
      logLevel: 'warning',
    })
    const { address } = await start('run', [])
    await (await start('warm', [address])).child.ended
    const addresses = [address]
    while (addresses.length < size) addresses.push((await start('run', [])).address)
    const took: number[] = []
    for (let i = 0; i < starts; i++) {
      await delay(1000, undefined, { signal })
      const { child, tookMs } = await start('run', addresses)
      took.push(tookMs)
      child.signal('SIGKILL')
      await child.ended
    }
    return took
  } finally {
    for (const { child } of running) if (child.running) child.signal('SIGKILL')
    await Promise.all(running.map(({ child }) => child.ended))
    await rm(folder, { recursive: true, force: true })
  }
}

async function startBare(
  args: readonly string[],
  folder: string,
  reaper: Reaper,
  signal: AbortSignal,
): Promise<Bare> {
  const fromMs = performance.now()
  let address = ''
  let isReady: (atMs: number) => void = () => {}
  const ready = new Promise<number>((resolve) => {
    isReady = resolve
  })
  const child = startChild({
    command: [process.execPath, ...args],
    logPath: join(folder, 'bare.log'),
    reaper,
    onLine: (line) => {
      address = (JSON.parse(line) as { readonly address: string }).address
      isReady(performance.now())
    },
  })
  const readyAtMs = await readyOf('a bare node', child, ready, signal)
  return { child, address, tookMs: readyAtMs - fromMs }
}

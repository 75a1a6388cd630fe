/**
 * Three peers stay while every second a stranger comes for the first time and
 * another goes: it leaves, stops and returns, or is killed. What grows in the three
 * grows with everybody they ever met.
 *
 * They are meant to remember those who are gone, up to `maxGone` rows, `maxTombstones`
 * lives of some 450 bytes and `maxHints` addresses, so for a while growth is right. The limits are lowered
 * here to what is met in a tenth of the time, where that is less than the
 * defaults: past the warm-up, which is three tenths, the tables are full and
 * what still grows is a leak. The defaults are reached after 17 minutes and after 18 hours.
 * Not lowered are 4096 public keys and 4096 short names of authors, which take more than
 * an hour to fill: with what multicast knows of authors 0.8 KB a stranger, 2 MiB in the judged part.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Driven, startProgram } from './program.ts'
import type { Point, Quantity, Series, Soak, SoakOptions } from './slopes.ts'

const steadyCount = 3
/**
 * The heap is to show what a peer keeps: garbage is collected before it is looked at, and V8 compiles
 * nothing for speed. What it compiles takes 3 KB a function, and those that run a few times for each stranger
 * get hot one after the other, long after the tables are full: of 4.2 MiB by which a heap grew from the
 * 100th stranger to the 1200th, that was 3.4.
 */
const steadyFlags = ['--expose-gc', '--no-opt']
const crowdCount = 2
/** What every profile has. */
const defaults = { maxGone: 1024, maxTombstones: 65_536, maxHints: 1024 }
const deedPeriodMs = 1000
const samplePeriodMs = 5000
/** Of deeds; between two kills of a whole crowd. */
const killEvery = 20
/** In one crowd. */
const maxGuests = 4
/** How somebody goes, in turns. */
const ways: readonly Way[] = ['leave', 'stop', 'retag', 'leave', 'return', 'retag']

const path = (name: string): string => fileURLToPath(new URL(`../../bench/churn/${name}`, import.meta.url))

type Way = 'leave' | 'stop' | 'return' | 'retag'

interface Meeting {
  readonly do: 'meet'
  readonly secret: string
  readonly join: readonly string[]
}

interface Holdings {
  readonly heapMib: number
  readonly rssMib: number
  readonly handles: number
  readonly timers: number
  readonly alive: number
  readonly rows: number
}

export const churn: Soak = {
  name: 'churn',
  minutes: 60,
  async run(options) {
    const folder = await mkdtemp(join(tmpdir(), 'p2pd-churn-'))
    const secret = randomBytes(32).toString('hex')
    const programs: Driven[] = []
    try {
      const steady = await openSteady(folder, secret, options, programs)
      const endAt = performance.now() + options.durationMs
      const [series] = await Promise.all([
        watch(steady.programs, endAt, options),
        disturb({ do: 'meet', secret, join: steady.addresses }, folder, endAt, options, programs),
      ])
      return series
    } finally {
      await Promise.all(programs.map((program) => program.kill()))
      await rm(folder, { recursive: true, force: true })
    }
  },
}

async function openSteady(
  folder: string,
  secret: string,
  { durationMs }: SoakOptions,
  programs: Driven[],
): Promise<{ readonly programs: readonly Driven[]; readonly addresses: readonly string[] }> {
  const met = Math.ceil(durationMs / deedPeriodMs / 10)
  const membership = {
    maxGone: Math.min(defaults.maxGone, met),
    maxTombstones: Math.min(defaults.maxTombstones, met),
    maxHints: Math.min(defaults.maxHints, met),
  }
  const addresses: string[] = []
  const steady: Driven[] = []
  for (let index = 1; index <= steadyCount; index++) {
    const program = startProgram(path('steady.mjs'), folder, steadyFlags)
    programs.push(program)
    steady.push(program)
    const [name, dataDir] = [`steady${index}`, join(folder, `steady${index}`)]
    const opening = { do: 'open', name, secret, dataDir, join: addresses, membership }
    const opened = (await program.ask(opening)) as { readonly addresses: readonly string[] }
    addresses.push(...opened.addresses)
  }
  return { programs: steady, addresses }
}

/** One deed a second, or as many as the machine lets be done. */
async function disturb(
  meeting: Meeting,
  folder: string,
  endAt: number,
  { progress, signal }: SoakOptions,
  programs: Driven[],
): Promise<void> {
  const open = async (): Promise<Driven> => {
    const crowd = startProgram(path('crowd.mjs'), folder)
    programs.push(crowd)
    await crowd.ask(meeting)
    return crowd
  }
  const crowds = await Promise.all(Array.from({ length: crowdCount }, open))
  const guests = crowds.map(() => 0)
  let came = 0
  for (let deed = 0; performance.now() < endAt; deed++) {
    const nextAt = performance.now() + deedPeriodMs
    const turn = deed % crowdCount
    const crowd = crowds[turn]
    if (crowd === undefined) continue
    if (deed % killEvery === killEvery - 1) {
      await crowd.kill()
      programs.splice(programs.indexOf(crowd), 1)
      crowds[turn] = await open()
      guests[turn] = 0
    } else {
      await crowd.ask({ do: 'come' })
      came += 1
      const full = (guests[turn] ?? 0) >= maxGuests
      const way = full ? 'leave' : (ways[Math.floor(deed / crowdCount) % ways.length] ?? 'leave')
      await crowd.ask({ do: way })
      guests[turn] = (guests[turn] ?? 0) + 1 + change(way)
    }
    if (deed % 60 === 59) {
      progress(`${came} came, ${Math.max(0, (endAt - performance.now()) / 60_000).toFixed(1)} min left`)
    }
    await delay(Math.max(0, nextAt - performance.now()), undefined, { signal })
  }
}

/** Of the number of guests; one that returns may not be there, which the next kill evens out. */
function change(way: Way): number {
  if (way === 'leave' || way === 'stop') return -1
  return way === 'return' ? 1 : 0
}

async function watch(
  steady: readonly Driven[],
  endAt: number,
  { progress, signal }: SoakOptions,
): Promise<readonly Series[]> {
  const points = new Map<string, { source: string; quantity: Quantity; points: Point[] }>()
  let told = 0
  while (performance.now() < endAt) {
    for (const [index, program] of steady.entries()) {
      const source = `steady${index + 1}`
      const held = (await program.ask({ do: 'holdings' })) as Holdings
      const sample: readonly (readonly [Quantity, number])[] = [
        ['heap MiB', held.heapMib],
        ['RSS MiB', held.rssMib],
        ['handles', held.handles],
        ['timers', held.timers],
      ]
      for (const [quantity, value] of sample) {
        const key = `${source} ${quantity}`
        const series = points.get(key) ?? { source, quantity, points: [] }
        points.set(key, series)
        series.points.push({ atMs: performance.now(), value })
      }
      if (index === 0 && performance.now() - told > 60_000) {
        told = performance.now()
        const { rows, alive, heapMib } = held
        progress(`${source}: ${rows} rows, ${alive} of them alive, heap ${heapMib.toFixed(1)} MiB`)
      }
    }
    await delay(samplePeriodMs, undefined, { signal })
  }
  return [...points.values()]
}

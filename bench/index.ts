/** `npm run bench [-- NAME…] [--json] [--quick] [--peers N]`: exit 1 when a bar is missed, 2 on a wrong argument. */
import { parseArgs } from 'node:util'
import { daemon } from './daemon.ts'
import { type Bench, type Figure, figure, table } from './harness.ts'
import { membership } from './membership/index.ts'
import { multicast } from './multicast.ts'
import { mutex } from './mutex.ts'

const benches: readonly Bench[] = [daemon, membership, multicast, mutex]

const { values, positionals } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    peers: { type: 'string' },
  },
  allowPositionals: true,
})

const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name))
if (unknown.length > 0) {
  console.error(
    `no bench is called ${unknown.join(', ')}; there is ${benches.map(({ name }) => name).join(', ')}`,
  )
  process.exit(2)
}

const peers = values.peers === undefined ? undefined : Number(values.peers)
if (peers !== undefined && !(Number.isInteger(peers) && peers >= 4 && peers <= 200)) {
  console.error('--peers must be from 4 to 200')
  process.exit(2)
}

const chosen = benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
if ((values.quick || peers !== undefined) && !chosen.includes(membership)) {
  console.error('--quick and --peers are for the bench membership')
  process.exit(2)
}

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => interrupted.abort(new Error('interrupted')))
}

const figures: Figure[] = []
try {
  for (const bench of chosen) {
    await bench.run({
      signal: interrupted.signal,
      quick: values.quick,
      peers,
      progress: (text) => console.error(`${bench.name}: ${text}`),
      report: (question) => {
        const answer = figure(bench.name, question)
        figures.push(answer)
        if (values.json) console.log(JSON.stringify(answer))
      },
    })
  }
} catch (error) {
  if (!interrupted.signal.aborted) throw error
  // What was measured until then is still worth reading.
  if (!values.json && figures.length > 0) console.log(table(figures))
  process.exit(130)
}
if (!values.json) console.log(table(figures))
process.exitCode = figures.some(({ met }) => met === false) ? 1 : 0

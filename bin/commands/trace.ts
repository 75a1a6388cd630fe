import { createReadStream } from 'node:fs'
import { ControlClient } from '../../daemon/client/client.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { TraceEvent } from '../../testnet/spacetime/trace-event.ts'
import { type Context, printJson } from '../context.ts'
import type { NamedPeer } from '../peer-id.ts'
import { uniqueNames } from '../peer-names.ts'

interface Options {
  readonly group?: string
  readonly shiviz?: boolean
}

/** Of one trace, bytes: 10,000 events with a hundred dependencies each take less. */
const maxTraceBytes = 128 * 1024 * 1024
/** For a daemon to name the hosts, ms. */
const namesMs = 1000

export async function run(
  context: Context,
  files: readonly string[],
  { group, shiviz = false }: Options,
): Promise<undefined> {
  const client = ControlClient.open(context.dataDir)
  const ask = () => client.trace(group === undefined ? {} : { group }, { signal: context.signal })
  if (files.length === 0 && !shiviz) return await copy(context, ask())
  if (files.length === 0) {
    const events = await parse(await textOf(ask(), 'the trace'), 'the trace')
    return await draw(context, client, events)
  }
  const events = (await readTraces(files)).filter((event) => group === undefined || event.group === group)
  if (shiviz) return await draw(context, client, events)
  for (const event of events) printJson(context.stdout, event)
}

/** As it comes: a trace may be long. */
async function copy(context: Context, chunks: AsyncIterable<Uint8Array>): Promise<undefined> {
  const decoder = new TextDecoder()
  for await (const chunk of chunks) context.stdout.write(decoder.decode(chunk, { stream: true }))
}

async function draw(
  context: Context,
  client: ControlClient,
  events: readonly TraceEvent[],
): Promise<undefined> {
  const { shiviz } = await import('../../testnet/spacetime/shiviz.ts')
  const names = hostNames(events, await membersOf(context, client))
  const log = explaining('these traces', () => shiviz(events, names))
  if (context.json) printJson(context.stdout, { shiviz: log })
  else context.stdout.write(log)
}

/** Files may be read where no daemon runs: then nobody has a name. */
async function membersOf(context: Context, client: ControlClient): Promise<readonly NamedPeer[]> {
  try {
    return (await client.members({}, { signal: context.signal, timeoutMs: namesMs })).members
  } catch {
    context.signal.throwIfAborted()
    return []
  }
}

/** Of every host and sender, those that are no members among them: these are shown by the beginning of their ids. */
export function hostNames(
  events: readonly TraceEvent[],
  members: readonly NamedPeer[],
): ReadonlyMap<string, string> {
  const known = new Set(members.map(({ peerId }) => peerId))
  const found = new Set<string>()
  for (const { host, sender, after } of events) {
    found.add(host).add(sender)
    for (const dot of after) found.add(dot.slice(0, dot.lastIndexOf('#')))
  }
  const others = [...found].filter((peerId) => !known.has(peerId))
  return uniqueNames([...members, ...others.map((peerId) => ({ peerId, name: '' }))])
}

async function readTraces(files: readonly string[]): Promise<readonly TraceEvent[]> {
  const events: TraceEvent[] = []
  for (const file of files) {
    for (const event of await parse(await readTrace(file), file)) events.push(event)
  }
  return events
}

async function parse(text: string, what: string): Promise<readonly TraceEvent[]> {
  const { parseTraceLines } = await import('../../testnet/spacetime/trace-event.ts')
  return explaining(what, () => parseTraceLines(text))
}

async function readTrace(file: string): Promise<string> {
  try {
    return await textOf(createReadStream(file), file)
  } catch (error) {
    throw error instanceof P2pdError ? error : badTrace(file, error)
  }
}

async function textOf(chunks: AsyncIterable<Uint8Array>, what: string): Promise<string> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.byteLength
    if (bytes > maxTraceBytes) throw badTrace(what, `more than ${maxTraceBytes} bytes`)
    parts.push(chunk)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** What reads traces knows nothing of codes. */
function explaining<Result>(what: string, act: () => Result): Result {
  try {
    return act()
  } catch (error) {
    throw badTrace(what, error)
  }
}

function badTrace(what: string, problem: unknown): P2pdError {
  const message = problem instanceof Error ? problem.message : String(problem)
  return new P2pdError('ERR_TRACE', `${what}: ${message}`, {
    hint: "'p2pd trace' writes such a file, an event a line",
    cause: problem,
  })
}

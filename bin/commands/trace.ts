import { createReadStream } from 'node:fs'
import { ControlClient } from '../../daemon/client/client.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { TraceEvent } from '../../testnet/spacetime/trace-event.ts'
import { type Context, printJson } from '../context.ts'
import { uniqueNames } from '../peer-names.ts'

interface Options {
  readonly group?: string
  readonly shiviz?: boolean
}

/** Of one trace, bytes: 10,000 events with a hundred dependencies each take less. */
const maxTraceBytes = 128 * 1024 * 1024

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
    const { members } = await client.members({}, { signal: context.signal })
    return await draw(context, events, uniqueNames(members))
  }
  const events = (await readTraces(files)).filter((event) => group === undefined || event.group === group)
  if (shiviz) return await draw(context, events, undefined)
  for (const event of events) printJson(context.stdout, event)
}

/** As it comes: a trace may be long. */
async function copy(context: Context, chunks: AsyncIterable<Uint8Array>): Promise<undefined> {
  const decoder = new TextDecoder()
  for await (const chunk of chunks) context.stdout.write(decoder.decode(chunk, { stream: true }))
}

async function draw(
  context: Context,
  events: readonly TraceEvent[],
  names: ReadonlyMap<string, string> | undefined,
): Promise<undefined> {
  const { shiviz } = await import('../../testnet/spacetime/shiviz.ts')
  const log = explaining('these traces', () => shiviz(events, names))
  if (context.json) printJson(context.stdout, { shiviz: log })
  else context.stdout.write(log)
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
    hint: "each line is an event that 'p2pd trace' has written",
    cause: problem,
  })
}

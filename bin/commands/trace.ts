import { ControlClient } from '../../daemon/client/client.ts'
import type { Context } from '../context.ts'

interface Options {
  readonly group?: string
}

/** Copied as it comes: a trace may be long. */
export async function run(
  context: Context,
  _args: readonly string[],
  { group }: Options,
): Promise<undefined> {
  const query = group === undefined ? {} : { group }
  const decoder = new TextDecoder()
  const chunks = ControlClient.open(context.dataDir).trace(query, { signal: context.signal })
  for await (const chunk of chunks) context.stdout.write(decoder.decode(chunk, { stream: true }))
}

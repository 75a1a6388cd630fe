import { ControlClient } from '../../daemon/client/client.ts'
import type { PublishAnswer } from '../../daemon/control/schemas.ts'
import { maxPayloadBytes, payloadTooLarge } from '../../daemon/payload-limit.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { printable } from '../style.ts'

interface Options {
  readonly lines?: boolean
}

export async function run(
  context: Context,
  args: readonly string[],
  { lines = false }: Options,
): Promise<undefined> {
  const [group = '', text] = args
  const client = ControlClient.open(context.dataDir)
  let count = 0
  for await (const payload of payloads(context, text, lines)) {
    const request = { data: payload.toString('base64'), encoding: 'base64' } as const
    const published = await client.publish(group, request, { signal: context.signal })
    count += 1
    if (context.json) printJson(context.stdout, published)
    else if (!lines) printLine(context.stderr, describe(published))
  }
  if (lines && !context.json) printLine(context.stderr, `published ${count} messages to ${printable(group)}`)
}

function describe({ group, epoch, seq, lamport }: PublishAnswer): string {
  return printable(`published to ${group}: message ${seq} of epoch ${epoch}, lamport ${lamport}`)
}

function payloads(context: Context, text: string | undefined, lines: boolean): AsyncIterable<Buffer> {
  if (text !== undefined && text !== '-') {
    if (lines) throw usage('--lines is about stdin, and there is a text', 'leave one of them out')
    return only(text)
  }
  if (text === undefined && context.stdin.isTTY) {
    throw usage('there is nothing to publish', "give the text, or '-' to type it until Ctrl-D")
  }
  return lines ? eachLine(stdinOf(context)) : whole(stdinOf(context), text === '-')
}

/** Its end is thrown as an error when Ctrl-C comes first. */
function stdinOf({ stdin, signal }: Context): AsyncIterable<Buffer> {
  signal.addEventListener('abort', () => stdin.destroy(), { once: true })
  return stdin
}

async function* only(text: string): AsyncGenerator<Buffer, void, undefined> {
  const payload = Buffer.from(text)
  assertSize(payload.byteLength)
  yield payload
}

/** Byte for byte, as one message. */
async function* whole(
  input: AsyncIterable<Buffer>,
  mayBeEmpty: boolean,
): AsyncGenerator<Buffer, void, undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of input) {
    bytes += chunk.byteLength
    assertSize(bytes)
    chunks.push(chunk)
  }
  // A script that forgot the text, more often than one that means nothing.
  if (bytes === 0 && !mayBeEmpty) throw usage('stdin is empty', "'-' publishes it all the same")
  yield Buffer.concat(chunks)
}

/** Without their line feeds; what follows the last one is a line if there is any. */
async function* eachLine(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let pieces: Buffer[] = []
  let bytes = 0
  const keep = (piece: Buffer): void => {
    bytes += piece.byteLength
    assertSize(bytes)
    if (piece.byteLength > 0) pieces.push(piece)
  }
  for await (const chunk of input) {
    let begin = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, begin)) {
      keep(chunk.subarray(begin, end))
      yield Buffer.concat(pieces)
      pieces = []
      bytes = 0
      begin = end + 1
    }
    keep(chunk.subarray(begin))
  }
  if (bytes > 0) yield Buffer.concat(pieces)
}

function assertSize(bytes: number): void {
  if (bytes > maxPayloadBytes) throw payloadTooLarge()
}

function usage(message: string, hint: string): P2pdError {
  return new P2pdError('ERR_USAGE', message, { hint })
}

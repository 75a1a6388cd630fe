import { ControlClient } from '../../daemon/client/client.ts'
import { ControlError } from '../../daemon/client/errors.ts'
import type { PublishAnswer } from '../../daemon/control/schemas.ts'
import { maxPayloadBytes, payloadTooLarge } from '../../daemon/payload-limit.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { patiently } from '../patience.ts'
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
  try {
    for await (const payload of payloads(context, text, lines)) {
      const request = { data: payload.toString('base64'), encoding: 'base64' } as const
      const answer = client.publish(group, request, { signal: context.signal })
      const published = await patiently(context, answer)
      count += 1
      if (context.json) printJson(context.stdout, published)
      else if (!lines) printLine(context.stderr, describe(published))
    }
  } catch (error) {
    if (context.signal.aborted || !(error instanceof P2pdError)) throw error
    throw explain(error, count)
  }
  if (lines && !context.json) printLine(context.stderr, `published ${messages(count)} to ${printable(group)}`)
}

/** Says also how far it came, and that an answer that is missing does not mean that the message is. */
function explain(error: P2pdError, published: number): P2pdError {
  const { code, message, hint } = error
  const unanswered = !(error instanceof ControlError) && unansweredCodes.has(code)
  const before = published === 0 ? '' : `; published before: ${messages(published)}`
  const advice = unanswered ? `${hint}; the message may be published all the same` : hint
  return new P2pdError(code, `${message}${before}`, {
    ...(advice === undefined ? {} : { hint: advice }),
    cause: error,
  })
}

const unansweredCodes: ReadonlySet<string> = new Set(['ERR_TIMEOUT', 'ERR_CONNECTION_LOST'])

function messages(count: number): string {
  return count === 1 ? '1 message' : `${count} messages`
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
  let line = 1
  const keep = (piece: Buffer): void => {
    bytes += piece.byteLength
    assertSize(bytes, `line ${line}: `)
    if (piece.byteLength > 0) pieces.push(piece)
  }
  for await (const chunk of input) {
    let begin = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, begin)) {
      keep(chunk.subarray(begin, end))
      yield Buffer.concat(pieces)
      pieces = []
      bytes = 0
      line += 1
      begin = end + 1
    }
    keep(chunk.subarray(begin))
  }
  if (bytes > 0) yield Buffer.concat(pieces)
}

function assertSize(bytes: number, where = ''): void {
  if (bytes > maxPayloadBytes) throw payloadTooLarge(where)
}

function usage(message: string, hint: string): P2pdError {
  return new P2pdError('ERR_USAGE', message, { hint })
}

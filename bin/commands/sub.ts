import { ControlClient } from '../../daemon/client/client.ts'
import type { MessageLine, MessagesQuery, NoticeLine } from '../../daemon/control/schemas.ts'
import { shellWord } from '../../daemon/shell-word.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { PeerNames } from '../peer-names.ts'
import { printable, type Style, styleFor, visible } from '../style.ts'

interface Options {
  readonly from?: string
  readonly order?: 'causal'
  /** False with `--no-vector`. */
  readonly vector?: boolean
  readonly count?: number
}

/** For a daemon to say that it lives, ms. */
const lookMs = 1000

export async function run(context: Context, args: readonly string[], options: Options): Promise<undefined> {
  const [group = ''] = args
  const client = ControlClient.open(context.dataDir)
  const out = new Printer(context, PeerNames.of(client, context.signal))
  const most = options.count ?? Number.POSITIVE_INFINITY
  let delivered = 0
  let cursor: string | undefined
  const again = (from: string | undefined): string =>
    commandLine(context, group, {
      ...options,
      ...(from === undefined ? {} : { from }),
      ...(options.count === undefined ? {} : { count: options.count - delivered }),
    })
  try {
    for await (const event of client.messages(group, queryOf(context, options), { signal: context.signal })) {
      if (event.type === 'notice') {
        await out.notice(event.notice)
        continue
      }
      await out.message(event.message)
      cursor = event.message.cursor
      delivered += 1
      if (delivered >= most) return
    }
  } catch (error) {
    if (!isGone(error)) throw error
    // The socket is of this machine: it hardly ever breaks while the daemon lives on.
    const livesOn = await client.isReady({ timeoutMs: lookMs, signal: context.signal })
    throw livesOn ? broken(again(cursor), error) : ended(again('earliest'), error)
  }
  // Also when it ended in good order: whoever reads wants to know where to go on.
  throw ended(again('earliest'))
}

/** People are shown no vectors, so none are asked for. */
function queryOf(context: Context, { from, order, vector = true }: Options): MessagesQuery {
  return {
    ...(from === undefined ? {} : { from }),
    ...(order === undefined ? {} : { order }),
    ...(vector && context.json ? {} : { vector: '0' }),
  }
}

class Printer {
  readonly #context: Context
  readonly #names: PeerNames
  readonly #style: Style

  constructor(context: Context, names: PeerNames) {
    this.#context = context
    this.#names = names
    this.#style = styleFor(context.stdout, context.env)
  }

  async message(message: MessageLine): Promise<void> {
    const { json, stdout } = this.#context
    if (json) return printJson(stdout, message)
    printLine(stdout, renderMessage(message, await this.#names.show(message.sender), this.#style))
  }

  async notice(notice: NoticeLine): Promise<void> {
    const { json, stdout, stderr } = this.#context
    if (json) return printJson(stdout, notice)
    for (const line of await renderNotice(notice, (peerId) => this.#names.show(peerId))) {
      printLine(stderr, `p2pd: ${line}`)
    }
  }
}

/** One line, whatever the text holds; the line feed that ends most texts is not shown. */
export function renderMessage({ data, encoding }: MessageLine, sender: string, style: Style): string {
  const text = encoding === 'utf8' ? visible(data.replace(/\r?\n$/, '')) : style.dim(`base64 ${data}`)
  return `${style.bold(printable(sender))}  ${text}`
}

/** A line a range. */
export async function renderNotice(
  notice: NoticeLine,
  nameOf: (peerId: string) => Promise<string>,
): Promise<string[]> {
  const message = async (sender: string, epoch: number, what: string): Promise<string> =>
    `${printable(await nameOf(sender))}'s ${what} of epoch ${epoch} in ${printable(notice.group)}`
  switch (notice.event) {
    case 'gap':
    case 'history-truncated': {
      return await Promise.all(
        notice.ranges.map(async ({ sender, epoch, from, to }) => {
          const one = from === to
          const what = await message(sender, epoch, one ? `message ${from}` : `messages ${from} to ${to}`)
          const lost = `lost: nobody has ${one ? 'it' : 'them'} any more`
          const fate = notice.event === 'gap' ? 'missing, and being fetched' : lost
          return `${notice.event}: ${what} ${one ? 'is' : 'are'} ${fate}`
        }),
      )
    }
    case 'undeliverable': {
      const { sender, epoch, seq } = notice
      return [
        `undeliverable: ${await message(sender, epoch, `message ${seq}`)} waits for one that did not come`,
      ]
    }
    case 'equivocation': {
      const { sender, epoch, seq } = notice
      return [`equivocation: ${await message(sender, epoch, `message ${seq}`)} was signed with two contents`]
    }
    default:
      return [printable(JSON.stringify(notice))]
  }
}

function isGone(error: unknown): boolean {
  return error instanceof P2pdError && error.code === 'ERR_CONNECTION_LOST'
}

/** Cursors end with the daemon; the log of its next life begins with what this one missed. */
function ended(again: string, cause?: unknown): P2pdError {
  return new P2pdError('ERR_CONNECTION_LOST', 'the daemon ended', {
    hint: `when it runs again, this prints what came since: ${again}`,
    cause,
  })
}

function broken(again: string, cause: unknown): P2pdError {
  return new P2pdError('ERR_CONNECTION_LOST', 'the connection to the daemon broke', {
    hint: `go on with: ${again}`,
    cause,
  })
}

/** The command that reads the same of the same daemon. */
function commandLine(
  { dataFlag, env, json }: Context,
  group: string,
  { from, vector = true, count }: Options,
): string {
  const data = dataFlag ?? env.P2PD_DATA
  const flags = [
    ...(data ? ['--data', data] : []),
    ...(from === undefined ? [] : ['--from', from]),
    ...(count === undefined ? [] : ['--count', String(count)]),
    ...(vector ? [] : ['--no-vector']),
    ...(json ? ['--json'] : []),
  ]
  const words = group.startsWith('-') ? [...flags, '--', group] : [group, ...flags]
  return ['p2pd', 'sub', ...words].map(shellWord).join(' ')
}

/** Server-sent events (WHATWG HTML §9.2.6), from byte chunks cut anywhere. */
import { P2pdError } from '../../lib/wire/errors.ts'

export interface SseMessage {
  /** `message` where the stream names none. */
  readonly event: string
  readonly data: string
  /** The last `id:` seen so far; what `Last-Event-ID` resumes after. */
  readonly id: string | undefined
}

export class SseDecoder {
  readonly #maxMessageChars: number
  readonly #text = new TextDecoder()
  /** The unfinished line, in the pieces in which it came: joined once, so that a long line stays linear. */
  #pieces: string[] = []
  /** Of the unfinished message, the unfinished line included. */
  #chars = 0
  #endedWithCr = false
  #event = ''
  #data: string[] = []
  #id: string | undefined

  /** Beyond `maxMessageChars` in one message, `push` throws ERR_ANSWER_TOO_LARGE. */
  constructor(maxMessageChars: number) {
    this.#maxMessageChars = maxMessageChars
  }

  /** The messages that `chunk` completes, in order. */
  push(chunk: Uint8Array): readonly SseMessage[] {
    let text = this.#text.decode(chunk, { stream: true })
    if (this.#endedWithCr && text.startsWith('\n')) text = text.slice(1)
    if (text !== '') this.#endedWithCr = text.endsWith('\r')

    const messages: SseMessage[] = []
    const lines = text.split(/\r\n|\n|\r/)
    const unfinished = lines.pop() ?? ''
    for (const line of lines) {
      this.#keep(line)
      const message = this.#endLine()
      if (message) messages.push(message)
    }
    this.#keep(unfinished)
    return messages
  }

  #keep(piece: string): void {
    this.#chars += piece.length
    if (this.#chars > this.#maxMessageChars) {
      throw new P2pdError('ERR_ANSWER_TOO_LARGE', `an event exceeds ${this.#maxMessageChars} characters`)
    }
    if (piece !== '') this.#pieces.push(piece)
  }

  #endLine(): SseMessage | undefined {
    const line = this.#pieces.join('')
    this.#pieces = []
    if (line === '') return this.#endMessage()

    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    switch (field) {
      case 'event':
        this.#event = value
        break
      case 'data':
        this.#data.push(value)
        break
      case 'id':
        if (!value.includes('\0')) this.#id = value
        break
      default:
        // A comment (the daemon's heartbeat), or a field that this client has no use for.
        this.#chars -= line.length
    }
    return undefined
  }

  #endMessage(): SseMessage | undefined {
    const message = { event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id }
    const empty = this.#data.length === 0
    this.#event = ''
    this.#data = []
    this.#chars = 0
    return empty ? undefined : message
  }
}

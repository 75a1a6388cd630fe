import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { eventually } from '../../support/eventually.ts'
import { openStream, type Place } from './raw-http.ts'

export interface SseEvent {
  readonly event: string
  readonly id: string | undefined
  readonly data: Record<string, unknown>
}

/** Reads server-sent events by hand: the client's own decoder is under test elsewhere. */
export class SseReader {
  readonly events: SseEvent[] = []
  readonly response: IncomingMessage
  /** Everything that came, comments included. */
  text = ''
  /** The daemon has ended the stream. */
  readonly ended: Promise<unknown>
  readonly #request: ClientRequest

  private constructor(request: ClientRequest, response: IncomingMessage) {
    this.#request = request
    this.response = response
    this.ended = once(response, 'end')
    // A reader that hangs up itself waits for nothing.
    this.ended.catch(() => {})
    let rest = ''
    response.on('data', (chunk: Buffer) => {
      this.text += chunk
      rest += chunk
      const blocks = rest.split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) if (!block.startsWith(':')) this.events.push(parse(block))
    })
    response.on('error', () => {})
  }

  static async open(place: Place, path: string, headers: Record<string, string> = {}): Promise<SseReader> {
    const { request, response } = await openStream(place, path, headers)
    request.on('error', () => {})
    if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`)
    return new SseReader(request, response)
  }

  async until(count: number): Promise<this> {
    await eventually(`${count} events`, () => this.events.length >= count)
    return this
  }

  close(): void {
    this.#request.destroy()
  }
}

function parse(block: string): SseEvent {
  const field = (name: string) => new RegExp(`^${name}: ([^\n]*)$`, 'm').exec(block)?.[1]
  return { event: field('event') ?? '', id: field('id'), data: JSON.parse(field('data') ?? 'null') }
}

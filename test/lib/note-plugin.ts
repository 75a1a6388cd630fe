/** A plugin that writes down all that it is told, and whose core does as it is bidden. */
import type { PeerPlugin, PluginContext, PluginDriver, RunningPlugin } from '../../lib/plugin.ts'
import type { Codec, Core, Effect, Input, PeerId } from '../../lib/protocols/core.ts'
import { WireError } from '../../lib/wire/errors.ts'

type NoteCommand =
  | { readonly type: 'say'; readonly to: PeerId; readonly text: string }
  | { readonly type: 'keep'; readonly key: string; readonly value: string }
  | { readonly type: 'break' }

type NoteEvent =
  | { readonly type: 'heard'; readonly from: PeerId; readonly text: string }
  | { readonly type: 'kept'; readonly key: string }

class NoteCore implements Core<string, NoteCommand, NoteEvent> {
  readonly deadline = undefined

  step(input: Input<string, NoteCommand>): readonly Effect<string, NoteEvent>[] {
    switch (input.type) {
      case 'receive':
        return [{ type: 'emit', event: { type: 'heard', from: input.from, text: input.message } }]
      case 'say':
        return [{ type: 'send', to: input.to, message: input.text }]
      case 'keep':
        return [
          { type: 'persist', key: input.key, value: new TextEncoder().encode(input.value) },
          { type: 'emit', event: { type: 'kept', key: input.key } },
        ]
      case 'break':
        throw new Error('it was to break')
      case 'wake':
        return []
    }
  }
}

/** Refuses what begins with `!`, and is at a loss about what begins with `?`. */
const codec: Codec<string> = {
  encode: (text) => new TextEncoder().encode(text),
  decode: (bytes) => {
    const text = new TextDecoder().decode(bytes)
    if (text.startsWith('!')) throw new WireError('ERR_WIRE', 'it begins with !')
    if (text.startsWith('?')) throw new Error('of another class')
    return text
  },
}

export interface NoteApi {
  readonly context: PluginContext
  /** In the order told: `connected ID`, `member ID`, `joined GENERATION`, `heard TEXT` … */
  readonly notes: readonly string[]
  say(to: PeerId, text: string): void
  keep(key: string, value: string): void
  break(): void
}

export interface NoteOptions extends Partial<PeerPlugin<NoteApi>> {
  readonly hooks?: Partial<RunningPlugin<NoteApi>>
  /** Notes of the plugin's end, which its api does not outlive. */
  readonly notes?: string[]
}

export function notes({ hooks, notes = [], ...changes }: NoteOptions = {}): PeerPlugin<NoteApi> {
  return {
    name: 'notes',
    needs: ['membership'],
    run(context) {
      const driver: PluginDriver<NoteCommand> = context.drive({
        core: new NoteCore(),
        codec,
        emitted: (event) => notes.push(event.type === 'heard' ? `heard ${event.text}` : `kept ${event.key}`),
        requested: () => {},
      })
      const api: NoteApi = {
        context,
        notes,
        say: (to, text) => driver.command({ type: 'say', to, text }),
        keep: (key, value) => driver.command({ type: 'keep', key, value }),
        break: () => driver.command({ type: 'break' }),
      }
      return {
        api,
        connected: (peer) => notes.push(`connected ${peer}`),
        disconnected: (peer) => notes.push(`disconnected ${peer}`),
        member: ({ peer, status }) => notes.push(`member ${peer} ${status}`),
        joined: (generation) => notes.push(`joined ${generation}`),
        stop: async () => {
          notes.push('stop')
        },
        ended: () => notes.push('ended'),
        ...hooks,
      }
    },
    ...changes,
  }
}

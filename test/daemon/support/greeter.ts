/** A plugin with one of everything, which runs without a peer. */
import { z } from 'zod'
import { P2pdError } from '../../../lib/wire/errors.ts'
import type { Plugin, PluginRoute, PluginStreamEvent } from '../../../plugins/contract.ts'

export class GreeterApi {
  greeted = 0
  /** What the stream does, one after the other. */
  script: (PluginStreamEvent | Error | 'wait')[] = []
  /** Of streams that have ended. */
  readonly ended: string[] = []
}

const named = z.strictObject({ loud: z.enum(['0', '1']).default('0') })

export const greeterRoutes: readonly PluginRoute<GreeterApi>[] = [
  {
    method: 'GET',
    path: '/v1/greetings/:name',
    summary: 'A greeting',
    query: named,
    answer: z.strictObject({ greeting: z.string(), count: z.int() }),
    handle: ({ api, params, query }) => {
      api.greeted += 1
      const greeting = `hello ${params.name}`
      const { loud } = named.parse(query)
      return { greeting: loud === '1' ? greeting.toUpperCase() : greeting, count: api.greeted }
    },
  },
  {
    method: 'POST',
    path: '/v1/greetings',
    summary: 'Greets a member',
    body: z.strictObject({ peer: z.string(), count: z.int().optional() }),
    handle: ({ body, peerOf, nameOf }) => {
      const { peer } = z.object({ peer: z.string() }).parse(body)
      const peerId = peerOf(peer)
      return { peerId, name: nameOf(peerId) }
    },
  },
  {
    method: 'GET',
    path: '/v1/greetings/:name/failure/:how',
    summary: 'Fails',
    handle: ({ params: { how } }) => {
      if (how === 'refused') throw new P2pdError('ERR_SHY', 'not in the mood', { hint: 'ask later' })
      if (how === 'broken') throw new TypeError('the secret detail')
      return how === 'list' ? [1] : undefined
    },
  },
  {
    method: 'GET',
    path: '/v1/greetings',
    summary: 'Every greeting, as it happens',
    stream: ({ api, signal, lastEventId, params }) => {
      if (api.script[0] instanceof Error && api.script[0].message === 'at the door') throw api.script[0]
      return play(api, signal, lastEventId, params)
    },
  },
]

async function* play(
  api: GreeterApi,
  signal: AbortSignal,
  lastEventId: string | undefined,
  params: object,
): AsyncGenerator<PluginStreamEvent> {
  try {
    if (lastEventId !== undefined) yield { event: 'resumed', data: { lastEventId, params } }
    for (const act of api.script) {
      if (act instanceof Error) throw act
      if (act !== 'wait') yield act
      else {
        await new Promise<void>((resolve) => {
          if (signal.aborted) resolve()
          signal.addEventListener('abort', () => resolve(), { once: true })
        })
      }
    }
  } finally {
    api.ended.push(signal.aborted ? 'aborted' : 'done')
  }
}

export const greeter: Plugin<GreeterApi> = {
  name: 'greeter',
  needs: ['membership'],
  run: () => ({ api: new GreeterApi() }),
  routes: () => greeterRoutes,
  verbs: [
    {
      name: 'greet',
      summary: 'greet somebody',
      examples: [['p2pd greet m2', 'by name']],
      arguments: [
        { name: 'name', summary: 'whom' },
        { name: 'loud', summary: '1 to shout', optional: true },
      ],
      method: 'GET',
      path: '/v1/greetings/:name',
    },
    {
      name: 'greetings',
      summary: 'every greeting',
      examples: [['p2pd greetings', 'until Ctrl-C']],
      method: 'GET',
      path: '/v1/greetings',
    },
  ],
  metrics: [
    {
      name: 'p2pd_greeter_greetings_total',
      help: 'Greetings given',
      type: 'counter',
      samples: ({ greeted }) => [{ value: greeted }],
    },
    {
      name: 'p2pd_greeter_moods',
      help: 'Moods by kind',
      type: 'gauge',
      labels: ['mood'],
      samples: ({ greeted }) =>
        Array.from({ length: 100 }, (_, at) => ({ labels: { mood: `m${at}` }, value: greeted })),
    },
  ],
  status: { keys: ['greeter'], read: ({ greeted }) => ({ greeter: { greeted }, name: 'usurped' }) },
  errorStatus: { ERR_SHY: 429 },
}

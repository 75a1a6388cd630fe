/**
 * A daemon with the locks' routes and nothing else, over locks in memory: on the
 * socket of the data directory that it is given. What is asked below `/test/` says
 * what becomes of the locks.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { z } from 'zod'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { PluginRequest } from '../../plugins/contract.ts'
import type { MutexApi } from '../../plugins/mutex/api.ts'
import { LockControl } from '../../plugins/mutex/control/lock-control.ts'
import { FakeMutex, holder } from '../plugins/mutex/control/fake-mutex.ts'

const [, , dataDir = ''] = process.argv
const mutex = new FakeMutex()
const control = new LockControl()
const routes = control.routes({ z, P2pdError })

type Answer = Readonly<Record<string, unknown>>

const tests: Readonly<Record<string, () => Answer | Promise<Answer>>> = {
  '/test/fail-renewals': () => {
    mutex.last?.failRenewals()
    return {}
  },
  '/test/lose': () => {
    mutex.last?.lose()
    return {}
  },
  '/test/last': () => ({
    name: mutex.last?.name,
    token: mutex.last?.token,
    leaseMs: mutex.last?.leaseMs,
    released: mutex.last?.releasedAt !== undefined,
  }),
  '/test/take': async () => {
    await mutex.acquire('taken')
    return {}
  },
  '/test/close': async () => {
    await control.close()
    return {}
  },
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    const { code, message, hint } = error as P2pdError
    response.writeHead(code === undefined ? 500 : 409).end(JSON.stringify({ error: { code, message, hint } }))
  })
})
server.listen(join(dataDir, 'control.sock'), () => process.stdout.write('ready\n'))
// It dies with whoever started it.
process.stdin.on('end', () => process.exit()).resume()

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
  const test = tests[pathname]
  if (test !== undefined) return void response.end(JSON.stringify(await test()))
  for (const route of routes) {
    const params = matched(route.path, pathname)
    if (params === undefined || route.method !== request.method) continue
    const hungUp = new AbortController()
    response.once('close', () => hungUp.abort())
    const asked: PluginRequest<MutexApi> = {
      api: mutex,
      params,
      query: route.query?.parse(Object.fromEntries(searchParams)),
      body: route.body?.parse(JSON.parse((await textOf(request)) || '{}')),
      lastEventId: undefined,
      signal: hungUp.signal,
      peerOf: () => holder,
      nameOf: () => 'm1',
    }
    if ('handle' in route) return void response.end(JSON.stringify(await route.handle(asked)))
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(':\n\n')
    try {
      for await (const { event, data } of await route.stream(asked)) tell(response, event, data)
    } catch (error) {
      const { code, message, hint = null } = error as P2pdError
      if (!response.destroyed) tell(response, 'error', { code, message, hint })
    }
    return void response.end()
  }
  response.writeHead(404).end()
}

function tell(response: ServerResponse, event: string, data: unknown): void {
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}

function matched(route: string, path: string): Record<string, string> | undefined {
  const [known, asked] = [route.split('/'), path.split('/')]
  if (known.length !== asked.length) return undefined
  const params: Record<string, string> = {}
  for (const [at, part] of known.entries()) {
    const segment = decodeURIComponent(asked[at] ?? '')
    if (part.startsWith(':')) params[part.slice(1)] = segment
    else if (part !== segment) return undefined
  }
  return params
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}

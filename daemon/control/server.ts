/** The control API over HTTP: routes to handlers, everything else to one form of error. */
import type { Socket } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { z } from 'zod'
import { P2pdError } from '../../lib/wire/errors.ts'
import { payloadTooLarge } from '../payload-limit.ts'
import { contract, type Exchange } from './contract.ts'
import type { ControlService } from './control-service.ts'
import { discardBody } from './discard.ts'
import {
  ControlFailure,
  explainFailure,
  internalFailure,
  isBodyTooLarge,
  statusOf,
  toAnswer,
} from './failure.ts'
import { assertAllowed, type LoopbackGuard } from './loopback-guard.ts'
import { addPluginRoutes } from './plugin-routes.ts'
import { type Api, matchesPath, type Route, routes } from './routes.ts'
import { limits } from './schemas.ts'
import { addStreams } from './streams.ts'

/** Open connections a listener; further ones are hung up on. */
const maxConnections = 512

/** A connection that asks nothing holds one of those places for this long, and until the next look, ms. */
const requestTimeoutMs = 10_000
const timeoutLookMs = 1000

/** Not listening yet. With a guard every request must pass it. */
export function createControlServer(service: ControlService, guard?: () => LoopbackGuard): FastifyInstance {
  const app = Fastify({
    bodyLimit: limits.bodyBytes,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    requestTimeout: requestTimeoutMs,
    http: { connectionsCheckingInterval: timeoutLookMs, headersTimeout: requestTimeoutMs },
    // As long as the header may be: a name that is too long gets an answer that says so.
    routerOptions: { maxParamLength: 16 * 1024, querystringParser: parseQuery },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, _request, reply) => void sendFailure(service, error, reply),
  })
  app.server.maxConnections = maxConnections
  app.removeContentTypeParser('text/plain')
  app.setValidatorCompiler<z.ZodType>(({ schema, httpPart }) => (data: unknown) => {
    const result = schema.safeParse(httpPart === 'body' ? (data ?? {}) : data)
    return result.success ? { value: result.data } : { error: badRequest(result.error) }
  })
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  app.setErrorHandler(async (error, request, reply) => {
    // Nobody is there to be told, and a client that hangs up is no fault.
    if (reply.raw.destroyed) return reply.hijack()
    if (!isBodyTooLarge(error)) return sendFailure(service, error, reply)
    await discardBody(request.raw)
    if (!request.raw.complete) reply.header('connection', 'close')
    const isPublish = request.routeOptions.url === routes.publish.path
    return sendFailure(service, isPublish ? payloadTooLarge() : error, reply)
  })
  app.setNotFoundHandler((request, reply) => sendFailure(service, noRoute(service, request, reply), reply))
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
    if (guard !== undefined) assertAllowed(guard(), request.headers)
  })
  addJsonRoutes(app, service)
  addStreams(app, service)
  addPluginRoutes(app, service)
  return app
}

function addJsonRoutes(app: FastifyInstance, service: ControlService): void {
  for (const name of Object.keys(contract) as (keyof Api)[]) addJsonRoute(app, service, name)
}

function addJsonRoute<Name extends keyof Api>(
  app: FastifyInstance,
  service: ControlService,
  name: Name,
): void {
  const exchange: Exchange = contract[name]
  const handler = service.handlers[name]
  app.route({
    method: routes[name].method,
    url: routes[name].path,
    ...(name === 'publish' ? { bodyLimit: limits.publishBodyBytes } : {}),
    schema: {
      ...(exchange.params === undefined ? {} : { params: exchange.params }),
      querystring: exchange.query ?? z.strictObject({}),
      ...(exchange.body === undefined ? {} : { body: exchange.body }),
    },
    // The validator compiler above gives exactly what the contract's schemas give.
    handler: (request, reply) =>
      handler({
        params: request.params,
        query: request.query,
        body: request.body,
        signal: hangUpSignal(reply),
      } as Parameters<typeof handler>[0]),
    ...(name === 'leave' ? { onResponse: async (_request, reply) => left(service, reply) } : {}),
  })
}

function left(service: ControlService, reply: FastifyReply): void {
  if (reply.statusCode === 200) service.departed()
}

function hangUpSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => controller.abort())
  return controller.signal
}

/** Repeated keys become arrays, which no schema here takes. */
function parseQuery(text: string): Record<string, unknown> {
  const query: Record<string, unknown> = {}
  const params = new URLSearchParams(text)
  for (const key of new Set(params.keys())) {
    const values = params.getAll(key)
    query[key] = values.length === 1 ? values[0] : values
  }
  return query
}

function badRequest(error: z.ZodError): P2pdError {
  const [issue] = error.issues
  const where = issue?.path.join('.')
  return new ControlFailure('ERR_BAD_REQUEST', `${where ? `${where}: ` : ''}${issue?.message ?? 'invalid'}`, {
    hint: `GET ${routes.openapi.path} describes every request`,
  })
}

function noRoute({ plugins }: ControlService, request: FastifyRequest, reply: FastifyReply): P2pdError {
  const path = request.url.split('?', 1)[0] ?? ''
  const known: readonly Route[] = [...Object.values(routes), ...plugins.routes.map(({ route }) => route)]
  const methods = [...new Set(known.filter((route) => matchesPath(route, path)).map(({ method }) => method))]
  if (methods.length === 0) {
    return new ControlFailure('ERR_NO_ROUTE', `there is nothing at ${path.slice(0, 128)}`, {
      hint: `GET ${routes.openapi.path} lists every route`,
    })
  }
  reply.header('allow', methods.join(', '))
  return new ControlFailure('ERR_METHOD_NOT_ALLOWED', `${path} takes ${methods.join(' and ')}`)
}

function sendFailure({ log, plugins }: ControlService, error: unknown, reply: FastifyReply): FastifyReply {
  const failure = explainFailure(error) ?? internalFailure(log, error)
  if (failure.code === 'ERR_UNAUTHORIZED') reply.header('www-authenticate', 'Bearer')
  const status = statusOf(failure.code, plugins.errorStatus)
  return reply.code(status).type('application/json; charset=utf-8').send(toAnswer(failure))
}

/** What is not HTTP, too large a header, or too slow: answered in the same form and closed. */
function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, code, message] = clientFailure(error.code)
  const body = JSON.stringify(toAnswer(new P2pdError(code, message)))
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  )
}

function clientFailure(code: string | undefined): readonly [string, `ERR_${string}`, string] {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', 'ERR_TIMEOUT', 'the request did not arrive in time']
    case 'HPE_HEADER_OVERFLOW':
      return ['431 Request Header Fields Too Large', 'ERR_BODY_TOO_LARGE', 'the header is too large']
    default:
      return ['400 Bad Request', 'ERR_BAD_REQUEST', 'the request is not HTTP/1.1']
  }
}

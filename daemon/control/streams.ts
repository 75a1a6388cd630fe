/** The routes whose answer is a stream, or no JSON. */
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { z } from 'zod'
import type { TraceEvent } from '../../lib/group.ts'
import { streams } from './contract.ts'
import type { ControlService } from './control-service.ts'
import { groupLeft, openMessages } from './group-handlers.ts'
import { lastEventIdOf } from './last-event-id.ts'
import { openApiDocument } from './openapi.ts'
import { routes } from './routes.ts'

export function addStreams(app: FastifyInstance, service: ControlService): void {
  let document: unknown
  app.get(routes.openapi.path, async () => {
    document ??= openApiDocument(service.version, service.plugins)
    return document
  })
  app.get(routes.metrics.path, async (_request, reply) => {
    const { contentType, text } = await service.metrics()
    return await reply.type(contentType).send(text)
  })
  app.get(routes.memberEvents.path, (request, reply) => {
    service.feed().attach(reply.raw, lastEventIdOf(request))
    reply.hijack()
  })
  addMessages(app, service)
  addTrace(app, service)
}

function addMessages(app: FastifyInstance, service: ControlService): void {
  const { params, query } = streams.messages
  app.get<{ Params: z.output<typeof params>; Querystring: z.output<typeof query> }>(
    routes.messages.path,
    { schema: { params, querystring: query } },
    async (request, reply) => {
      const peer = service.peer()
      const { order, vector } = request.query
      const { group } = request.params
      // A client that resumes repeats the request that it began with.
      const from = lastEventIdOf(request) ?? request.query.from
      await service.messages.attach(
        reply.raw,
        async (signal) => ({
          items: await openMessages(peer, { group, from, order, vector: vector === '1' }, signal),
          // A daemon that ends says so by hanging up.
          ended: () => (service.serves() ? groupLeft(peer, group) : undefined),
        }),
        () => void reply.hijack(),
      )
    },
  )
}

function addTrace(app: FastifyInstance, service: ControlService): void {
  const { query } = streams.trace
  app.get<{ Querystring: z.output<typeof query> }>(
    routes.trace.path,
    { schema: { querystring: query } },
    async (request, reply) => {
      const events = service.peer().trace(request.query.group)
      return await reply.type('application/x-ndjson').send(Readable.from(traceLines(events)))
    },
  )
}

/** A stream, because events may name a thousand dependencies each. */
function* traceLines(events: readonly TraceEvent[]): Generator<string> {
  for (const { group, host, hostEpoch, index, kind, sender, epoch, seq, time, after } of events) {
    const line = { group, host, hostEpoch, index, kind, sender, epoch, seq, time: Math.trunc(time), after }
    yield `${JSON.stringify(line)}\n`
  }
}

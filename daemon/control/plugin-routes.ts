/** Routes of plugins, beside the daemon's own and under the same rules. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { PluginAnswerRoute, PluginRequest, PluginStreamRoute } from '../../plugins/contract.ts'
import type { OwnedRoute } from '../plugins/plugin-set.ts'
import type { ControlService } from './control-service.ts'
import { lastEventIdOf } from './last-event-id.ts'
import { choices, resolvePeer } from './peer-reference.ts'
import { ownError } from './plugin-feed.ts'

export function addPluginRoutes(app: FastifyInstance, service: ControlService): void {
  for (const { plugin, route } of service.plugins.routes) {
    if ('handle' in route) addAnswer(app, service, { plugin, route })
    else addStream(app, service, { plugin, route })
  }
}

function addAnswer(
  app: FastifyInstance,
  service: ControlService,
  { plugin, route }: { readonly plugin: string; readonly route: PluginAnswerRoute },
): void {
  app.route({
    ...matching(route),
    handler: async (request, reply) => {
      const signal = service.pluginRequests.begin(reply)
      const answer = await owning(async () =>
        route.handle(toRequest(service, plugin, route, request, signal)),
      )
      if (typeof answer === 'object' && answer !== null && !Array.isArray(answer)) return answer
      throw new TypeError(`plugin ${plugin} answers ${route.method} ${route.path} with no object`)
    },
  })
}

function addStream(
  app: FastifyInstance,
  service: ControlService,
  { plugin, route }: { readonly plugin: string; readonly route: PluginStreamRoute },
): void {
  app.route({
    ...matching(route),
    handler: async (request, reply) => {
      await owning(() =>
        service.pluginStreams.attach(
          reply.raw,
          async (signal) => {
            const events = await route.stream(toRequest(service, plugin, route, request, signal))
            return { items: events[Symbol.asyncIterator](), ended: () => undefined }
          },
          () => void reply.hijack(),
        ),
      )
    },
  })
}

function matching({ method, path, query, body }: OwnedRoute['route']) {
  return {
    method,
    url: path,
    schema: { querystring: query ?? nothing, ...(method === 'POST' ? { body: body ?? nothing } : {}) },
  }
}

const nothing = z.strictObject({})

/** Throws ERR_NOT_READY, and ERR_STOPPING. */
function toRequest(
  service: ControlService,
  plugin: string,
  route: OwnedRoute['route'],
  request: FastifyRequest,
  signal: AbortSignal,
): PluginRequest {
  const peer = service.peer()
  return {
    api: peer.plugins[plugin],
    // The router gives each `:name` of the path as text.
    params: { ...(request.params as Record<string, string>) },
    query: route.query === undefined ? undefined : request.query,
    body: route.body === undefined ? undefined : request.body,
    lastEventId: lastEventIdOf(request),
    signal,
    peerOf: (reference) => resolvePeer(reference, choices(peer.members())).peerId,
    nameOf: (id) => peer.members().find((member) => member.peer === id)?.name ?? '',
  }
}

async function owning<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act()
  } catch (error) {
    throw ownError(error)
  }
}

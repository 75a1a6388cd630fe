/** The control API as an OpenAPI 3.1 document, from the schemas that validate its requests. */
import { z } from 'zod'
import type { PluginRoute } from '../../plugins/contract.ts'
import { paramsOf } from '../plugins/examine.ts'
import type { OwnedRoute, PluginSet } from '../plugins/plugin-set.ts'
import { contract, streams, type Taken } from './contract.ts'
import { type Api, type RouteName, routes } from './routes.ts'
import { errorAnswer } from './schemas.ts'

type Json = Record<string, unknown>

export function openApiDocument(version: string, plugins: PluginSet): Json {
  const paths: Record<string, Json> = {}
  const definitions: Json = {}
  for (const name of Object.keys(routes) as RouteName[]) {
    const { method } = routes[name]
    const path = routes[name].path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation(name) }
  }
  for (const owned of plugins.routes) {
    const path = owned.route.path.replace(/:(\w+)/g, '{$1}')
    const described = pluginOperation(owned, definitions)
    paths[path] = { ...paths[path], [owned.route.method.toLowerCase()]: described }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'p2pd control API',
      version,
      description: 'HTTP/1.1 over the Unix socket DATA/control.sock; over TCP with a bearer token.',
      license: { name: 'Apache-2.0 OR MIT', identifier: 'Apache-2.0 OR MIT' },
    },
    paths,
    components: {
      schemas: { ...definitions, ...components() },
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'Over TCP only' } },
    },
  }
}

function operation(name: RouteName): Json {
  const { summary } = routes[name]
  const exchange = isJsonRoute(name) ? contract[name] : undefined
  const parameters = parametersOf(name)
  return {
    operationId: name,
    summary,
    security: [{}, { token: [] }],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(exchange !== undefined && 'body' in exchange
      ? { requestBody: { content: json(inline(exchange.body, 'input')), required: true } }
      : {}),
    responses: {
      200: { description: summary, content: answerContent(name) },
      default: { description: 'What went wrong', content: json(reference(errorAnswer)) },
    },
  }
}

/** `definitions` takes what its schemas refer to. */
function pluginOperation({ plugin, route }: OwnedRoute, definitions: Json): Json {
  const { method, path, summary, query, body } = route
  const parameters = [
    ...paramsOf(path).map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
    ...(query === undefined ? [] : queryParameters(foreign(query, 'input', definitions))),
    ...('stream' in route && method === 'GET' ? [lastEventIdOfPlugin] : []),
  ]
  return {
    operationId: [plugin, method.toLowerCase(), ...path.split('/').slice(2)].join('-').replaceAll(':', ''),
    tags: [plugin],
    summary,
    security: [{}, { token: [] }],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === undefined
      ? {}
      : { requestBody: { content: json(foreign(body, 'input', definitions)), required: true } }),
    responses: {
      200: { description: summary, content: pluginAnswer(route, definitions) },
      default: { description: 'What went wrong', content: json(reference(errorAnswer)) },
    },
  }
}

function pluginAnswer(route: PluginRoute, definitions: Json): Json {
  if ('stream' in route) {
    const description = 'Events of the plugin, and `error` (StreamError, the last one)'
    return { 'text/event-stream': { schema: { type: 'string', description } } }
  }
  const { answer } = route
  return json(answer === undefined ? { type: 'object' } : foreign(answer, 'output', definitions))
}

function queryParameters({ properties, required }: Json): Json[] {
  const needed: readonly unknown[] = Array.isArray(required) ? required : []
  return Object.entries(Object(properties)).map(([name, schema]) => ({
    name,
    in: 'query',
    required: needed.includes(name),
    schema,
  }))
}

/** A schema that may come from another copy of zod, whose registry is not ours: what it refers to comes along. */
function foreign(schema: z.ZodType, io: 'input' | 'output', definitions: Json): Json {
  const { $schema, $defs, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  const moved: Json = JSON.parse(
    JSON.stringify({ ...$defs, '': rest }).replaceAll('"#/$defs/', '"#/components/schemas/'),
  )
  const { '': root, ...others } = moved
  Object.assign(definitions, others)
  return Object(root)
}

const lastEventId: Json = {
  name: 'Last-Event-ID',
  in: 'header',
  required: false,
  schema: { type: 'string' },
  description:
    'The id seen last: what came since then follows. Where that is gone, changes of members begin with a new snapshot, messages end in ERR_CURSOR_UNKNOWN',
}

const lastEventIdOfPlugin: Json = { ...lastEventId, description: 'The id seen last, for streams that resume' }

const memberEventKinds =
  'Events `snapshot` (Members), `member` (MemberRow; with the detail `reaped` it is in the table no more), ' +
  '`isolated` (Isolation; while it holds, it also follows a snapshot), ' +
  '`overrun` (the reader was too slow)'
const messageEventKinds =
  'Events `message` (MessageLine; its `id` is the cursor), `gap`, `history-truncated`, `undeliverable`, ' +
  '`equivocation` (NoticeLine), `error` (StreamError, the last one)'

function answerContent(name: RouteName): Json {
  if (isJsonRoute(name)) return json(reference(contract[name].answer))
  switch (name) {
    case 'metrics':
      return { 'text/plain': { schema: { type: 'string' } } }
    case 'memberEvents':
      return { 'text/event-stream': { schema: { type: 'string', description: memberEventKinds } } }
    case 'messages':
      return { 'text/event-stream': { schema: { type: 'string', description: messageEventKinds } } }
    case 'trace':
      return { 'application/x-ndjson': { schema: { type: 'string', description: 'A TraceLine a line' } } }
    default:
      return json({ type: 'object' })
  }
}

function parametersOf(name: RouteName): Json[] {
  const { params, query }: Taken = isJsonRoute(name) ? contract[name] : streams[name]
  return [
    ...(params === undefined ? [] : described(params, 'path')),
    ...(query === undefined ? [] : described(query, 'query')),
    ...(name === 'memberEvents' || name === 'messages' ? [lastEventId] : []),
  ]
}

function described(fields: z.ZodObject, place: 'path' | 'query'): Json[] {
  return Object.entries(fields.shape).map(([name, schema]) => ({
    name,
    in: place,
    required: place === 'path' || !z.safeParse(schema, undefined).success,
    schema: inline(schema, 'input'),
  }))
}

function isJsonRoute(name: RouteName): name is keyof Api {
  return name in contract
}

function json(schema: Json): Json {
  return { 'application/json': { schema } }
}

function reference(schema: z.ZodType): Json {
  const id = schema.meta()?.id
  return id === undefined ? inline(schema, 'output') : { $ref: schemaUri(id) }
}

function inline(schema: z.core.$ZodType, io: 'input' | 'output'): Json {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io })
  return rest
}

function components(): Json {
  const { schemas } = z.toJSONSchema(z.globalRegistry, { uri: schemaUri })
  return Object.fromEntries(Object.entries(schemas).map(([id, { $schema, $id, ...schema }]) => [id, schema]))
}

function schemaUri(id: string): string {
  return `#/components/schemas/${id}`
}

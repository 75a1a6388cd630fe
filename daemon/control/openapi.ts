/** The control API as an OpenAPI 3.1 document, from the schemas that validate its requests. */
import { z } from 'zod'
import { contract, streams, type Taken } from './contract.ts'
import { type Api, type RouteName, routes } from './routes.ts'
import { errorAnswer } from './schemas.ts'

type Json = Record<string, unknown>

export function openApiDocument(version: string): Json {
  const paths: Record<string, Json> = {}
  for (const name of Object.keys(routes) as RouteName[]) {
    const { method } = routes[name]
    const path = routes[name].path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation(name) }
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
      schemas: components(),
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

const lastEventId: Json = {
  name: 'Last-Event-ID',
  in: 'header',
  required: false,
  schema: { type: 'string' },
  description:
    'The id seen last: what came since then follows. Where that is gone, changes of members begin with a new snapshot, messages end in ERR_CURSOR_UNKNOWN',
}

const memberEventKinds =
  'Events `snapshot` (Members), `member` (MemberRow), `overrun` (the reader was too slow)'
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

/** Whether what a module calls a plugin is one: its shape, before anything of it runs. */
import { z } from 'zod'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Plugin, PluginRoute, PluginTools } from '../../plugins/contract.ts'

/** Bounds of what one plugin may declare. */
const maxRoutes = 64
const maxVerbs = 32
const maxMetrics = 64
const maxLabels = 4

const verbName = /^[a-z][a-z0-9-]{0,31}$/
const pathPattern = /^\/v1(\/(:[a-zA-Z]\w{0,31}|[a-z0-9][a-z0-9.-]{0,63})){1,8}$/
const pathProblem = 'must be like /v1/greetings/:name, in lower case'

const callable = z.custom<(...args: never[]) => unknown>((value) => typeof value === 'function', {
  error: 'must be a function',
})
const schema = z.custom<z.ZodType>(
  (value) => typeof value === 'object' && value !== null && '_zod' in value && 'safeParse' in value,
  { error: 'must be a schema of zod 4' },
)
const line = z.string().min(1).max(200)

const routeSchema = z
  .looseObject({
    method: z.enum(['GET', 'POST']),
    path: z.string().regex(pathPattern, { error: pathProblem }),
    summary: line,
    query: schema.optional(),
    body: schema.optional(),
    answer: schema.optional(),
    handle: callable.optional(),
    stream: callable.optional(),
  })
  .refine(({ handle, stream }) => (handle === undefined) !== (stream === undefined), {
    error: 'has either handle or stream',
  })
  .refine(({ method, body }) => method === 'POST' || body === undefined, {
    error: 'takes a body, which GET does not have',
  })
  .refine(({ path }) => new Set(paramsOf(path)).size === paramsOf(path).length, {
    error: 'names a segment of its path twice',
  })

const routesSchema = z.array(routeSchema).max(maxRoutes)

const verbSchema = z
  .looseObject({
    name: z
      .string()
      .regex(verbName, { error: 'must be lower case, of at most 32 letters, digits and dashes' }),
    summary: line,
    examples: z
      .array(z.tuple([line, line]))
      .min(1)
      .max(16),
    arguments: z
      .array(
        z.looseObject({
          name: z.string().regex(/^[a-zA-Z]\w{0,31}$/, { error: 'must be a word' }),
          summary: line,
          optional: z.boolean().optional(),
        }),
      )
      .max(8)
      .optional(),
    method: z.enum(['GET', 'POST']),
    path: z.string().regex(pathPattern, { error: pathProblem }),
  })
  .refine(
    ({ arguments: taken = [] }) => !taken.some((each, at) => !each.optional && taken[at - 1]?.optional),
    {
      error: 'has an argument that is not optional after one that is',
    },
  )
  .refine(({ arguments: taken = [], path }) => paramsOf(path).every((name) => isNeeded(taken, name)), {
    error: 'does not fill each segment of its path with an argument',
  })

function isNeeded(taken: readonly { name: string; optional?: boolean | undefined }[], name: string): boolean {
  return taken.some((each) => each.name === name && each.optional !== true)
}

const metricSchema = z
  .looseObject({
    name: z.string().regex(/^p2pd_[a-z][a-z0-9_]{0,95}$/, { error: 'must begin with p2pd_, in lower case' }),
    help: line,
    type: z.enum(['gauge', 'counter']),
    labels: z
      .array(z.string().regex(/^[a-z][a-z0-9_]{0,31}$/))
      .max(maxLabels)
      .optional(),
    samples: callable,
  })
  .refine(({ name, type }) => (type === 'counter') === name.endsWith('_total'), {
    error: 'ends in _total if it is a counter, and only then',
  })

const pluginSchema = z.looseObject({
  name: z.string().regex(verbName, { error: 'must be lower case, of at most 32 letters, digits and dashes' }),
  needs: z.array(z.enum(['membership', 'multicast', 'clock'])),
  run: callable,
  firstRecords: callable.optional(),
  routes: callable.optional(),
  verbs: z.array(verbSchema).max(maxVerbs).optional(),
  metrics: z.array(metricSchema).max(maxMetrics).optional(),
  status: z
    .looseObject({ keys: z.array(z.string().regex(/^[a-z][a-zA-Z0-9]{0,31}$/)).max(16), read: callable })
    .optional(),
  errorStatus: z
    .record(z.string().regex(/^ERR_[A-Z0-9_]+$/), z.int().min(400).max(599), {
      error: 'must give codes ERR_… a status from 400 to 599',
    })
    .optional(),
})

/** `named` is what the user called it. Throws ERR_BAD_PLUGIN. */
export function examinePlugin(value: unknown, named: string): Plugin {
  const result = pluginSchema.safeParse(value)
  if (!result.success) throw badPlugin(named, describe(result.error, 'plugin'))
  // The schema has looked at every field that the type has but `link` and `checker`, which the peer checks.
  return value as Plugin
}

/** Throws ERR_BAD_PLUGIN. */
export function examineRoutes(plugin: Plugin, tools: PluginTools): readonly PluginRoute[] {
  let routes: unknown
  try {
    routes = plugin.routes?.(tools) ?? []
  } catch (cause) {
    throw badPlugin(plugin.name, `its routes failed: ${firstLine(cause)}`, { cause })
  }
  const result = routesSchema.safeParse(routes)
  if (!result.success) throw badPlugin(plugin.name, describe(result.error, 'routes'))
  return routes as readonly PluginRoute[]
}

/** The names of `:name` in it. */
export function paramsOf(path: string): readonly string[] {
  return path.split('/').flatMap((part) => (part.startsWith(':') ? [part.slice(1)] : []))
}

export function badPlugin(
  named: string,
  problem: string,
  options: { readonly hint?: string; readonly cause?: unknown } = {},
): P2pdError {
  return new P2pdError('ERR_BAD_PLUGIN', `plugin ${JSON.stringify(named.slice(0, 128))}: ${problem}`, {
    hint: options.hint ?? 'compare it with examples/hello-plugin.mjs',
    cause: options.cause,
  })
}

export function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n', 1)[0] ?? ''
}

function describe(error: z.ZodError, root: string): string {
  const [issue] = error.issues
  const path = (issue?.path ?? []).reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}.${String(part)}`),
    root,
  )
  return `${path}: ${issue?.message ?? 'is wrong'}`
}

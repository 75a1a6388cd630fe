/**
 * What the daemon is told: flags over `P2PD_*` over the config file over defaults.
 *
 * Every source is checked by one schema, so that a wrong key or value is an
 * ERR_CONFIG (or, for an address, ERR_BAD_ADDRESS) that names the source and the
 * key. The cluster secret comes from none of them: it lives in the data
 * directory and travels in an invite.
 */
import { dirname, join, resolve } from 'node:path'
import { cwd } from 'node:process'
import { z } from 'zod'
import { type Profile, profiles } from '../lib/protocols/membership/config.ts'
import type { Tags } from '../lib/protocols/membership/messages.ts'
import { P2pdError } from '../lib/wire/errors.ts'
import { splitTag, tagsProblem } from '../lib/wire/tag.ts'
import { badAddress, isListenAddress, isReachableAddress, maxAddressCount } from './address.ts'
import { readFileIfAny } from './files.ts'
import { namePattern } from './names.ts'
import { type Environment, resolveDataDir } from './paths.ts'
import type { PluginModule } from './plugins/load.ts'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

const maxConfigBytes = 64 * 1024

/** As many as found together at most. */
const maxExpected = 1000
const maxPlugins = 32

const nameField = z.string().regex(namePattern, {
  error: 'must be 1 to 63 letters, digits, dots, dashes or underscores, and begin with a letter or digit',
})
const addressesField = (accepts: (text: string) => boolean) =>
  z
    .array(
      z.string().refine(accepts, {
        error: 'is not an address that can be used here',
        params: { address: true },
      }),
    )
    .max(maxAddressCount)
const tagsField = z
  .record(z.string(), z.unknown())
  .refine((tags): tags is Record<string, string> => tagsProblem(tags) === undefined, {
    error: ({ input }) => tagsProblem(Object(input)) ?? '',
  })
const hostPort = z.string().regex(/^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost|\[::1\]):\d{1,5}$/, {
  error: 'must be a loopback host and a port, like 127.0.0.1:7070',
})

const settingsSchema = z.strictObject({
  name: nameField.optional(),
  cluster: nameField.optional(),
  listen: addressesField(isListenAddress).min(1).optional(),
  announce: addressesField(isReachableAddress).optional(),
  join: addressesField(isReachableAddress).optional(),
  expect: z.coerce
    .number()
    .refine((count) => Number.isInteger(count) && count >= 2 && count <= maxExpected, {
      error: `must be a whole number from 2 to ${maxExpected}`,
    })
    .optional(),
  plugins: z.array(z.string().min(1).max(1024)).max(maxPlugins).optional(),
  tags: tagsField.optional(),
  mdns: z.boolean().optional(),
  profile: z.enum(Object.keys(profiles) as [Profile, ...Profile[]]).optional(),
  log: z.enum(logLevels).optional(),
  membership: z.strictObject({ fastPath: z.boolean().optional() }).optional(),
  control: z
    .strictObject({
      tcp: hostPort.optional(),
      tokenFile: z.string().min(1).optional(),
      hosts: z.array(z.string().min(1)).max(16).optional(),
      origins: z.array(z.url()).max(16).optional(),
    })
    .optional(),
})

const fileSchema = settingsSchema.extend({ data: z.string().min(1).optional() })

export type Settings = z.infer<typeof settingsSchema>

/** What the command line gave; what it did not give is absent. */
export interface DaemonFlags {
  readonly data?: string
  readonly config?: string
  readonly name?: string
  readonly cluster?: string
  readonly listen?: readonly string[]
  readonly announce?: readonly string[]
  readonly join?: readonly string[]
  /** A file with an invite, or `-` for stdin. */
  readonly invite?: string
  /** Found the electorate with so many. */
  readonly expect?: number
  /** Modules of plugins; their paths are meant from the working directory. */
  readonly plugin?: readonly string[]
  /** `KEY=VALUE` each. */
  readonly tag?: readonly string[]
  /** Look for members in the local network. */
  readonly mdns?: boolean
  readonly profile?: string
  readonly log?: string
  /** Ready event on stdout, log lines as JSON. */
  readonly json?: boolean
}

export interface DaemonConfig {
  readonly dataDir: string
  readonly name: string | undefined
  /** Of a cluster that is founded here; an existing one must bear it. */
  readonly cluster: string | undefined
  /** Undefined: what was said last, else every interface at a free port. */
  readonly listen: readonly string[] | undefined
  readonly announce: readonly string[] | undefined
  readonly join: readonly string[]
  /** Found the electorate of the locks with so many, this one included; alone, or not at all, when undefined. */
  readonly expect: number | undefined
  /** Besides those that are built in. */
  readonly plugins: readonly PluginModule[]
  /** What people say of this peer; undefined: what was said last. */
  readonly tags: Tags | undefined
  /** Members of the cluster are looked for in the local network. */
  readonly mdns: boolean
  /** What of these did not come from the config file: the next start keeps it. */
  readonly said: Pick<Settings, 'name' | 'listen' | 'announce' | 'expect' | 'tags'>
  readonly profile: Profile
  readonly log: LogLevel
  readonly fastPath: boolean
  readonly control: {
    /** A loopback host and port at which the control API also listens; off when undefined. */
    readonly tcp: string | undefined
    readonly tokenFile: string
    /** Host and Origin headers accepted there besides its own address. */
    readonly hosts: readonly string[]
    readonly origins: readonly string[]
  }
}

export const configDefaults = { profile: 'lan', log: 'info', fastPath: true, mdns: false } as const

/** Throws ERR_CONFIG, or ERR_BAD_ADDRESS, with the source and the key. */
export async function loadConfig(flags: DaemonFlags, env: Environment): Promise<DaemonConfig> {
  refuseSecret(env)
  const fromFlags = flagSettings(flags)
  const fromEnv = check(settingsSchema, environmentSettings(env), environmentName)
  const named = flags.config ?? env.P2PD_CONFIG
  const namedPath = resolve(named ?? '')
  const file = named === undefined ? undefined : await readConfigFile(namedPath, true)
  const dataDir = resolveDataDir(flags.data, { ...env, P2PD_DATA: env.P2PD_DATA || file?.data })
  const ownPath = join(dataDir, 'config.toml')
  const { data, ...fromFile } = file ?? (await readConfigFile(ownPath, false)) ?? {}
  if (file === undefined && data !== undefined) {
    throw configError(`data in ${ownPath}`, 'cannot be set inside the data directory itself')
  }
  const merged = { ...fromFile, ...fromEnv, ...fromFlags }
  const control = { ...fromFile.control, ...fromEnv.control }
  const said = { ...fromEnv, ...fromFlags }
  const { name, listen, announce, expect, tags } = said
  return {
    dataDir,
    name: merged.name,
    cluster: merged.cluster,
    listen: merged.listen,
    announce: merged.announce,
    join: merged.join ?? [],
    expect: merged.expect,
    plugins: pluginModules(said.plugins, fromFile.plugins, dirname(file === undefined ? ownPath : namedPath)),
    tags: merged.tags,
    mdns: merged.mdns ?? configDefaults.mdns,
    said: { name, listen, announce, expect, tags },
    profile: merged.profile ?? configDefaults.profile,
    log: merged.log ?? configDefaults.log,
    fastPath: fromEnv.membership?.fastPath ?? fromFile.membership?.fastPath ?? configDefaults.fastPath,
    control: {
      tcp: control.tcp,
      tokenFile: resolve(dataDir, control.tokenFile ?? 'control.token'),
      hosts: control.hosts ?? [],
      origins: control.origins ?? [],
    },
  }
}

/** What is said is meant from the working directory, what stands in a file from the folder of that. */
function pluginModules(
  said: readonly string[] | undefined,
  written: readonly string[] | undefined,
  folder: string,
): readonly PluginModule[] {
  if (said !== undefined) return said.map((module) => ({ module, folder: cwd() }))
  return (written ?? []).map((module) => ({ module, folder }))
}

async function readConfigFile(
  path: string,
  needed: boolean,
): Promise<z.infer<typeof fileSchema> | undefined> {
  const text = await readFileIfAny(path, maxConfigBytes)
  if (text === undefined) {
    if (needed) throw configError(`the config file ${path}`, 'does not exist')
    return undefined
  }
  return parseConfigFile(text, path)
}

/** Exported for the config file that `init` writes, which must parse. */
export async function parseConfigFile(text: string, path: string): Promise<z.infer<typeof fileSchema>> {
  const { parse } = await import('smol-toml')
  let values: unknown
  try {
    values = parse(text)
  } catch (error) {
    const message = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
    const line: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'line') : undefined
    throw configError(`${path}${typeof line === 'number' ? `, line ${line}` : ''}`, `is not TOML: ${message}`)
  }
  return check(fileSchema, values, (key) => `${key} in ${path}`)
}

/** What of the flags may also stand in a config file, checked. */
export function flagSettings(flags: DaemonFlags): Settings {
  const { name, cluster, listen, announce, join, expect, plugin: plugins, mdns, profile, log } = flags
  const tags = flags.tag === undefined ? undefined : tagRecord(flags.tag, '--tag')
  const given = { name, cluster, listen, announce, join, expect, plugins, tags, mdns, profile, log }
  return check(settingsSchema, withoutUndefined(given), flagName)
}

/** The words as a table; what is wrong with key or value is left to the schema. */
function tagRecord(words: readonly string[], source: string): Record<string, string> {
  const tags = new Map<string, string>()
  for (const word of words) {
    const tag = splitTag(word)
    if (tag === undefined) {
      throw configError(source, `holds ${JSON.stringify(word.slice(0, 64))}, which is not KEY=VALUE`, {
        hint: 'write it like role=web; an empty value is role=',
      })
    }
    const [key, value] = tag
    if (key === '__proto__') throw configError(source, tagsProblem(Object.fromEntries([tag])) ?? '')
    if (tags.has(key)) throw configError(source, `says ${key} twice`, { hint: 'a key has one value' })
    tags.set(key, value)
  }
  return Object.fromEntries(tags)
}

/** Lists are separated by commas or white space; tags by commas, since their values may hold blanks; an empty variable counts as unset. */
function environmentSettings(env: Environment): unknown {
  const list = (text: string | undefined) =>
    text ? text.split(/[\s,]+/).filter((item) => item !== '') : undefined
  return withoutUndefined({
    name: env.P2PD_NAME,
    cluster: env.P2PD_CLUSTER,
    listen: list(env.P2PD_LISTEN),
    announce: list(env.P2PD_ANNOUNCE),
    join: list(env.P2PD_JOIN),
    expect: env.P2PD_EXPECT,
    plugins: list(env.P2PD_PLUGINS),
    tags: env.P2PD_TAGS ? tagRecord(words(env.P2PD_TAGS), 'P2PD_TAGS') : undefined,
    mdns: truth(env.P2PD_MDNS),
    profile: env.P2PD_PROFILE,
    log: env.P2PD_LOG,
    membership: withoutUndefined({ fastPath: truth(env.P2PD_FAST_PATH) }),
    control: withoutUndefined({
      tcp: env.P2PD_CONTROL_TCP,
      tokenFile: env.P2PD_CONTROL_TOKEN_FILE,
      hosts: list(env.P2PD_CONTROL_HOSTS),
      origins: list(env.P2PD_CONTROL_ORIGINS),
    }),
  })
}

function words(text: string): readonly string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}

const flagNames: Readonly<Record<string, string>> = { plugins: '--plugin', tags: '--tag' }

/** One a module, and one a tag. */
function flagName(key: string): string {
  return flagNames[key] ?? `--${key}`
}

const environmentNames: Readonly<Record<string, string>> = {
  'membership.fastPath': 'P2PD_FAST_PATH',
  'control.tokenFile': 'P2PD_CONTROL_TOKEN_FILE',
}

function environmentName(key: string): string {
  return environmentNames[key] ?? `P2PD_${key.replaceAll('.', '_').toUpperCase()}`
}

/** Anything else goes on as text, for the schema to refuse. */
function truth(text: string | undefined): boolean | string | undefined {
  if (text === 'true' || text === '1') return true
  return text === 'false' || text === '0' ? false : text
}

function withoutUndefined(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== ''))
}

function refuseSecret(env: Environment): void {
  if (env.P2PD_SECRET === undefined) return
  throw configError('P2PD_SECRET', 'is not read: every process of this user could see it', {
    hint: 'unset it; the secret comes with an invite: p2pd --invite FILE',
  })
}

function check<Schema extends z.ZodType>(
  schema: Schema,
  values: unknown,
  nameOf: (key: string) => string,
): z.infer<Schema> {
  const result = schema.safeParse(values)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw issue === undefined ? result.error : explainIssue(issue, values, nameOf)
}

function explainIssue(issue: z.core.$ZodIssue, values: unknown, nameOf: (key: string) => string): P2pdError {
  const path = issue.path.map(String)
  const key = path.filter((part) => !/^\d+$/.test(part)).join('.')
  if (issue.code === 'unrecognized_keys') {
    const unknown = [...path, issue.keys[0] ?? ''].join('.')
    return configError(nameOf(unknown), 'is not a known key', { hint: unknownKeyHint(unknown) })
  }
  if (issue.code === 'custom' && issue.params?.address === true) {
    const address = issue.path.reduce<unknown>((value, part) => Reflect.get(Object(value), part), values)
    const { message, hint = '' } = badAddress(String(address), key === 'listen' ? 'listen' : 'dial')
    return new P2pdError('ERR_BAD_ADDRESS', `${nameOf(key)}: ${message}`, { hint })
  }
  return configError(nameOf(key), describe(issue))
}

function describe(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${wordFor[issue.expected] ?? `a ${issue.expected}`}`
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`
    case 'too_big':
      return `holds more than ${issue.maximum}`
    case 'too_small':
      return 'must not be empty'
    default:
      return issue.message
  }
}

const wordFor: Readonly<Record<string, string>> = {
  array: 'a list',
  record: "a table, like { role = 'web' }",
}

const keys = [
  ...Object.keys(fileSchema.shape).filter((key) => key !== 'membership' && key !== 'control'),
  'membership.fastPath',
  'control.tcp',
  'control.tokenFile',
  'control.hosts',
  'control.origins',
]

function unknownKeyHint(unknown: string): string {
  if (/secret/i.test(unknown)) return 'the secret never stands in a config file: use p2pd --invite FILE'
  return `known keys: ${keys.join(', ')}`
}

function configError(what: string, problem: string, options: { hint?: string } = {}): P2pdError {
  return new P2pdError('ERR_CONFIG', `${what} ${problem}`, {
    hint: options.hint ?? "'p2pd init' writes a config file that explains every key",
  })
}

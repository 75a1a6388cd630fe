import type { PeerPlugin, PluginLink, ServiceName } from './plugin.ts'
import { P2pdError } from './wire/errors.ts'
import { maxBulkFrameBytes } from './wire/limits.ts'

const namePattern = /^[a-z][a-z0-9-]{0,31}$/

/** Of the peer's own links and of its own parts of the store. */
const taken: ReadonlySet<string> = new Set(['membership', 'multicast', 'admission', 'gossip', 'host'])

const serviceNames: ReadonlySet<string> = new Set<ServiceName>(['membership', 'multicast', 'clock'])

/** Each opens a stream to each peer, and libp2p allows a connection 64 of them. */
const maxPlugins = 16
const maxQueueBytes = 64 * 1024 * 1024
const maxQueueFrames = 65_536

/** The plugins that an app gave, by name. Errors: ERR_BAD_PLUGIN. */
export function pluginList(given: Readonly<Record<string, PeerPlugin>> = {}): readonly PeerPlugin[] {
  const entries = Object.entries(given)
  if (entries.length > maxPlugins) throw bad(`there are more than ${maxPlugins} plugins`, 'run fewer')
  for (const [key, plugin] of entries) check(key, plugin)
  return entries.map(([, plugin]) => plugin)
}

function check(key: string, plugin: Partial<PeerPlugin> | undefined): void {
  if (typeof plugin?.name !== 'string' || typeof plugin.run !== 'function' || !Array.isArray(plugin.needs)) {
    throw bad(`${key} is no plugin`, 'a plugin has at least name, needs and run; see PeerPlugin')
  }
  const { name, needs, link } = plugin
  if (!namePattern.test(name)) {
    throw bad(
      `a plugin cannot be called '${name.slice(0, 64)}'`,
      '1 to 32 lower-case letters, digits and dashes, a letter first',
    )
  }
  if (taken.has(name)) throw bad(`the name ${name} is taken by the peer itself`, 'choose another name')
  if (key !== name) {
    throw bad(`the plugin ${name} was given as ${key}`, `write plugins: { ${JSON.stringify(name)}: … }`)
  }
  const unknown = needs.find((need) => !serviceNames.has(need))
  if (unknown !== undefined) {
    throw bad(
      `${name} needs ${String(unknown).slice(0, 64)}, which is no service`,
      `the services are ${[...serviceNames].join(', ')}`,
    )
  }
  if (link !== undefined) checkLink(name, link)
}

function checkLink(name: string, { maxFrameBytes, queueBytes, queueFrames }: PluginLink): void {
  const fits =
    within(maxFrameBytes, 1, maxBulkFrameBytes) &&
    within(queueBytes, maxFrameBytes, maxQueueBytes) &&
    within(queueFrames, 1, maxQueueFrames)
  if (fits) return
  throw bad(
    `the link of ${name} has limits that make no sense`,
    `frames of at most ${maxBulkFrameBytes} bytes; a queue that holds one and at most ${maxQueueBytes} bytes and ${maxQueueFrames} frames`,
  )
}

function within(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}

function bad(message: string, hint: string): P2pdError {
  return new P2pdError('ERR_BAD_PLUGIN', message, { hint })
}

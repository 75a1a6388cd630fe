import './host/with-resolvers.ts'
import { openLife } from './first-life.ts'
import type { Peer } from './peer.ts'
import { type PeerOptions, settingsOf } from './peer-options.ts'
import type { NoPlugins, PeerPlugin } from './plugin.ts'
import { RunningPeer } from './running-peer.ts'

/**
 * Starts a peer: when this resolves it listens and joins.
 *
 * Errors: ERR_BAD_OPTION, ERR_BAD_PLUGIN, ERR_BAD_ADDRESS, ERR_PORT_IN_USE, ERR_PORT_DENIED,
 * ERR_KEY_*, ERR_STORE_*, ERR_DISK_FULL; what a plugin throws. Whatever was opened is closed again.
 */
export async function createPeer<Plugins extends Readonly<Record<string, PeerPlugin>> = NoPlugins>(
  options: PeerOptions<Plugins>,
): Promise<Peer<Plugins>> {
  const settings = settingsOf(options)
  options.signal?.throwIfAborted()
  const { identity, store } = await openLife({
    dataDir: options.dataDir,
    identity: options.identity,
    newIdentity: options.newIdentity ?? false,
    cluster: settings.clusterId,
    joins: settings.joins,
    plugins: settings.plugins,
  })
  const peer = new RunningPeer<Plugins>(settings, identity, store)
  try {
    options.signal?.throwIfAborted()
    await peer.start()
    options.signal?.throwIfAborted()
    return peer
  } catch (error) {
    await peer.shutDown(undefined)
    throw error
  }
}

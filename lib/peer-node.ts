/** The libp2p node of a peer: one of its own at a port that it keeps, or its part of an app's. */
import { gaterOf } from './host/admission.ts'
import type { Counters } from './host/counters.ts'
import { Doorkeeper } from './host/doorkeeper.ts'
import { GuestNode } from './host/guest-node.ts'
import type { Identity } from './host/identity.ts'
import { Inbound } from './host/inbound.ts'
import { settleListen } from './host/listen.ts'
import { createNode, type Node } from './host/node.ts'
import type { Store } from './host/store.ts'
import type { PeerSettings } from './peer-options.ts'
import type { PeerId } from './protocols/core.ts'
import { savedPort, savePort } from './saved-port.ts'
import { P2pdError } from './wire/errors.ts'

export interface PeerNodeInit {
  readonly settings: PeerSettings
  readonly identity: Identity
  readonly store: Store
  readonly counters: Counters
  readonly admits: (peer: PeerId) => boolean
  readonly trouble: (error: unknown) => void
  readonly failed: (error: P2pdError) => void
}

/** Errors: ERR_BAD_OPTION, ERR_PORT_IN_USE, ERR_PORT_DENIED, ERR_BAD_ADDRESS. */
export async function makeNode(init: PeerNodeInit): Promise<Node> {
  const { settings, identity, counters, admits, trouble, failed } = init
  const { secret, clusterId: cluster, libp2p } = settings
  const doorkeeper = new Doorkeeper({ self: identity.peerId, secret, cluster, admits, counters })
  if (libp2p === undefined) return await ownNode(init, doorkeeper)
  const ended = (): void =>
    failed(
      new P2pdError('ERR_NODE_STOPPED', "the app's libp2p node has stopped", {
        hint: 'stop the peer before its node',
      }),
    )
  const node = new GuestNode({ libp2p, identity, doorkeeper, counters, ended, trouble })
  if (node.addresses().length > 0 || settings.announce.length > 0) return node
  throw new P2pdError('ERR_BAD_OPTION', "the app's libp2p node listens at no TCP address", {
    hint: 'have it listen at one, such as /ip4/0.0.0.0/tcp/4001, or announce where it is reached',
  })
}

async function ownNode(
  { settings, identity, store, counters, admits }: PeerNodeInit,
  doorkeeper: Doorkeeper,
): Promise<Node> {
  const { listen: asked, secret, version } = settings
  const listen = await settleListen(asked, savedPort(store))
  const inbound = new Inbound(counters)
  return await createNode({
    identity,
    secret,
    listen,
    gater: gaterOf(admits, inbound),
    inbound,
    counters,
    doorkeeper,
    datastore: store.datastore,
    version,
    opened: () => savePort(store, asked, listen),
  })
}

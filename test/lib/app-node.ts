/** An app's libp2p node, with a protocol of the app's own. */
import '../../lib/host/with-resolvers.ts'
import { noise } from '@chainsafe/libp2p-noise'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Libp2p, Stream } from '@libp2p/interface'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

export interface AppNode {
  readonly node: Libp2p
  /** The node's key, as `createPeer` takes it. */
  readonly identity: Uint8Array
  readonly address: string
}

export const echo = '/app/echo/1'

const running: Libp2p[] = []

export async function startApp(
  options: { readonly swarmKey?: Uint8Array; readonly listen?: readonly string[] } = {},
): Promise<AppNode> {
  const privateKey = await generateKeyPair('Ed25519')
  const node = await createLibp2p({
    privateKey,
    addresses: { listen: [...(options.listen ?? ['/ip4/127.0.0.1/tcp/0'])] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // All of a test's nodes have one address.
    connectionManager: { inboundConnectionThreshold: 100 },
    services: { identify: identify() },
    ...(options.swarmKey === undefined
      ? {}
      : { connectionProtector: preSharedKey({ psk: options.swarmKey }) }),
  })
  running.push(node)
  await node.handle(echo, async (stream) => {
    for await (const chunk of chunksOf(stream)) stream.send(chunk)
    await stream.close()
  })
  return {
    node,
    identity: privateKeyToProtobuf(privateKey),
    address: node.getMultiaddrs()[0]?.toString() ?? '',
  }
}

export async function stopApps(): Promise<void> {
  await Promise.all(running.splice(0).map((node) => node.stop()))
}

export async function* chunksOf(stream: Stream): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) yield chunk.subarray()
}

/** What comes back on that stream. */
export async function echoed(stream: Stream, text: string): Promise<string> {
  stream.send(new TextEncoder().encode(text))
  for await (const chunk of chunksOf(stream)) return new TextDecoder().decode(chunk)
  return ''
}

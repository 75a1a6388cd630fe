import './with-resolvers.ts'
import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { fromString } from 'uint8arrays/from-string'
import type { Crypto, PeerId } from '../protocols/core.ts'
import { P2pdError } from '../wire/errors.ts'
import { maxPeerIdLength } from '../wire/limits.ts'
import { corruptKey, createSecretFile, readSecretFile } from './key-file.ts'

/** Who this peer is: an Ed25519 key, whose public half is the peer id. */
export interface Identity {
  readonly peerId: PeerId
  readonly privateKey: Ed25519PrivateKey
}

/** A new identity; lost when it is not saved. */
export async function generateIdentity(): Promise<Identity> {
  return identityOf(await generateKeyPair('Ed25519'))
}

/** From a protobuf-encoded libp2p private key. Errors: ERR_KEY_CORRUPT. */
export function identityFromBytes(bytes: Uint8Array, origin = 'the given identity'): Identity {
  try {
    const key = privateKeyFromProtobuf(bytes)
    if (key.type !== 'Ed25519') throw new Error('it is not an Ed25519 key')
    return identityOf(key)
  } catch (error) {
    throw corruptKey(origin, error instanceof Error ? error.message : String(error))
  }
}

export function identityToBytes(identity: Identity): Uint8Array {
  return privateKeyToProtobuf(identity.privateKey)
}

/** Saves a new identity at `path`, whole or not at all. Errors: those of `createSecretFile`. */
export async function saveIdentity(path: string, identity: Identity): Promise<void> {
  await createSecretFile(path, `${Buffer.from(identityToBytes(identity)).toString('base64')}\n`)
}

/** The identity at `path`; undefined when there is none. */
export async function loadIdentity(path: string): Promise<Identity | undefined> {
  const text = await readSecretFile(path)
  if (text === undefined) return undefined
  // The last byte written is the newline: without it the file is torn.
  if (!/^[A-Za-z0-9+/]+={0,2}\n$/.test(text)) throw corruptKey(path, 'it is torn or not base64')
  return identityFromBytes(Buffer.from(text, 'base64'), path)
}

function identityOf(privateKey: Ed25519PrivateKey): Identity {
  return { peerId: peerIdFromPrivateKey(privateKey).toString() as PeerId, privateKey }
}

/** Identity multihash (00 24) of a protobuf public key (type 1 = Ed25519, 32 bytes). */
const peerIdPrefix = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)
const rawKeyBytes = 32
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Public keys kept ready: parsing one costs as much as verifying with it. */
const maxCachedKeys = 4096

/** The synchronous cryptography of the cores, on node:crypto: about 40 µs to sign, 120 µs to verify. */
export function cryptoOf(identity: Identity): Crypto {
  const key = createPrivateKey({
    key: Buffer.concat([pkcs8Prefix, identity.privateKey.raw.subarray(0, rawKeyBytes)]),
    format: 'der',
    type: 'pkcs8',
  })
  const keys = new Map<PeerId, KeyObject>()
  return {
    sign: (bytes) => new Uint8Array(sign(null, bytes, key)),
    verify: (signer, bytes, signature) => {
      const signerKey = cachedKey(keys, signer)
      if (signerKey === undefined || signature.byteLength !== 64) return false
      return verify(null, bytes, signerKey, signature)
    },
    // In one call: half the price of an object that hashes.
    sha256: (bytes) => new Uint8Array(hash('sha256', bytes, 'buffer')),
  }
}

/** Least recently used goes first: a Map keeps its order of insertion. */
function cachedKey(keys: Map<PeerId, KeyObject>, peer: PeerId): KeyObject | undefined {
  const known = keys.get(peer) ?? publicKeyOf(peer)
  if (known === undefined) return undefined
  keys.delete(peer)
  keys.set(peer, known)
  if (keys.size > maxCachedKeys) {
    const [oldest] = keys.keys()
    if (oldest !== undefined) keys.delete(oldest)
  }
  return known
}

function publicKeyOf(peer: string): KeyObject | undefined {
  const raw = rawPublicKey(peer)
  if (raw === undefined) return undefined
  try {
    return createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
}

function rawPublicKey(peer: string): Uint8Array | undefined {
  if (peer.length > maxPeerIdLength) return undefined
  let bytes: Uint8Array
  try {
    bytes = fromString(peer, 'base58btc')
  } catch {
    return undefined
  }
  if (bytes.byteLength !== peerIdPrefix.byteLength + rawKeyBytes) return undefined
  if (!peerIdPrefix.every((byte, at) => bytes[at] === byte)) return undefined
  return bytes.subarray(peerIdPrefix.byteLength)
}

/** Whether `text` is a peer id that this version can verify. */
export function isPeerId(text: string): text is PeerId {
  return rawPublicKey(text) !== undefined
}

/** Errors: ERR_BAD_PEER_ID. */
export function parsePeerId(text: string): PeerId {
  if (isPeerId(text)) return text
  throw new P2pdError('ERR_BAD_PEER_ID', `not a peer id: ${text.slice(0, maxPeerIdLength)}`, {
    hint: 'a peer id looks like 12D3KooW… (52 characters)',
  })
}

import assert from 'node:assert/strict'
import '../../../lib/host/with-resolvers.ts'
import { randomBytes } from 'node:crypto'
import type { MultiaddrConnection } from '@libp2p/interface'
import { preSharedKey } from '@libp2p/pnet'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { boundCipherMemory } from '../../../lib/host/cipher-memory.ts'
import { swarmKey } from '../../../lib/host/node.ts'
import { eventually } from '../../support/eventually.ts'

const protector = preSharedKey({ psk: swarmKey(randomBytes(32)) })()

async function connect(): Promise<[MultiaddrConnection, MultiaddrConnection]> {
  const ends = await Promise.all(multiaddrConnectionPair().map((end) => protector.protect(end)))
  for (const end of ends) boundCipherMemory(end)
  return ends as [MultiaddrConnection, MultiaddrConnection]
}

async function talk([one, other]: [MultiaddrConnection, MultiaddrConnection], bytes: number): Promise<void> {
  const sent = randomBytes(bytes)
  const received: Uint8Array[] = []
  other.addEventListener('message', ({ data }) => received.push(data.subarray().slice()))
  one.send(sent)
  const count = () => received.reduce((sum, data) => sum + data.length, 0)
  await eventually('all has come', () => count() >= bytes)
  assert.deepEqual(Buffer.concat(received), sent)
}

/** By turns: a cipher that looks at a memory which has been replaced asks for more of it each time. */
async function talkInTurns(...pairs: readonly [MultiaddrConnection, MultiaddrConnection][]): Promise<void> {
  let received = 0
  for (const [, other] of pairs) {
    other.addEventListener('message', ({ data }) => {
      received += data.byteLength
    })
  }
  for (let turn = 0; turn < turns; turn++) {
    for (const [one] of pairs) one.send(Uint8Array.of(turn))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await eventually('all has come', () => received === turns * pairs.length)
}

/** It has 640 KiB, and grows to a thousand pages at most. */
const turns = 1500

describe("the memory of the private network's cipher", () => {
  it('does not grow with what is sent at once, and all that is sent is understood', async () => {
    const [first, second] = [await connect(), await connect()]
    for (const bytes of [1024 * 1024, 1, 64 * 1024, 700_001]) {
      await talk(first, bytes)
      await talk(second, bytes)
    }
    await talkInTurns(first, second)
    for (const end of [...first, ...second]) await end.close()
  })

  it('does not grow with connections that were there once', async () => {
    // It holds ten thousand directions, four for each of these.
    for (let count = 0; count < 3000; count++) {
      const ends = await connect()
      for (const end of ends) end.abort(new Error('no longer wanted'))
    }
    const [first, second] = [await connect(), await connect()]
    await talkInTurns(first, second)
    for (const end of [...first, ...second]) await end.close()
  })

  it('leaves what comes after the end alone', async () => {
    const [one, other] = await connect()
    one.send(new Uint8Array(1000))
    other.abort(new Error('no longer wanted'))
    await eventually('the end has come', () => one.status !== 'open')
  })
})

import assert from 'node:assert/strict'
import { chmod, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  cryptoOf,
  generateIdentity,
  isPeerId,
  loadIdentity,
  saveIdentity,
} from '../../../lib/host/identity.ts'
import { createSecretFile, readSecretFile } from '../../../lib/host/key-file.ts'
import { removeTempDirs, tempDir } from '../../support/temp-dir.ts'

describe('a secret file', () => {
  afterEach(removeTempDirs)

  it('can be read by its owner alone, and leaves no draft behind', async () => {
    const directory = await tempDir()
    await createSecretFile(join(directory, 'secret'), 'abc\n')
    assert.equal((await stat(join(directory, 'secret'))).mode & 0o777, 0o600)
    assert.deepEqual(await readdir(directory), ['secret'])
    assert.equal(await readSecretFile(join(directory, 'secret')), 'abc\n')
  })

  it('is never overwritten', async () => {
    const path = join(await tempDir(), 'secret')
    await createSecretFile(path, 'first')
    await assert.rejects(createSecretFile(path, 'second'), { code: 'ERR_KEY_EXISTS' })
    assert.equal(await readFile(path, 'utf8'), 'first')
  })

  it('is refused when the group or the world can read it, with the command that mends it', async () => {
    const path = join(await tempDir(), 'secret')
    await createSecretFile(path, 'abc')
    for (const mode of [0o640, 0o604, 0o660]) {
      await chmod(path, mode)
      await assert.rejects(readSecretFile(path), { code: 'ERR_KEY_PERMISSIONS', hint: /chmod 600/ })
    }
  })

  it('is undefined when it does not exist, and an error when it cannot be one', async () => {
    const directory = await tempDir()
    assert.equal(await readSecretFile(join(directory, 'none')), undefined)
    await writeFile(join(directory, 'long'), 'x'.repeat(5000), { mode: 0o600 })
    await assert.rejects(readSecretFile(join(directory, 'long')), { code: 'ERR_KEY_CORRUPT' })
    await assert.rejects(createSecretFile(join(directory, 'no', 'where'), 'x'), { code: 'ERR_KEY_ACCESS' })
  })
})

describe('an identity', () => {
  afterEach(removeTempDirs)

  it('is saved once and found again', async () => {
    const path = join(await tempDir(), 'identity.key')
    assert.equal(await loadIdentity(path), undefined)
    const made = await generateIdentity()
    await saveIdentity(path, made)
    assert.equal((await loadIdentity(path))?.peerId, made.peerId)
    assert.equal(isPeerId(made.peerId), true)
    await assert.rejects(saveIdentity(path, await generateIdentity()), { code: 'ERR_KEY_EXISTS' })
  })

  it('is refused when its file is torn at any byte', async () => {
    const path = join(await tempDir(), 'identity.key')
    await saveIdentity(path, await generateIdentity())
    const whole = await readFile(path)
    for (let length = whole.byteLength - 1; length >= 0; length -= 7) {
      await truncate(path, length)
      await assert.rejects(loadIdentity(path), { code: 'ERR_KEY_CORRUPT' })
      await writeFile(path, whole)
    }
  })

  it('signs what only its own peer id verifies', async () => {
    const [one, other] = [await generateIdentity(), await generateIdentity()]
    const crypto = cryptoOf(one)
    const bytes = new TextEncoder().encode('alive')
    const signature = crypto.sign(bytes)
    assert.equal(crypto.verify(one.peerId, bytes, signature), true)
    assert.equal(cryptoOf(other).verify(one.peerId, bytes, signature), true)
    assert.equal(crypto.verify(other.peerId, bytes, signature), false)
    assert.equal(crypto.verify(one.peerId, bytes.subarray(1), signature), false)
    assert.equal(crypto.verify(one.peerId, bytes, signature.subarray(1)), false)
    assert.equal(await one.privateKey.publicKey.verify(bytes, signature), true)
  })

  it('verifies nothing of a signer that is no peer id', async () => {
    const { sign, verify } = cryptoOf(await generateIdentity())
    const signature = sign(new Uint8Array(3))
    for (const odd of ['', 'x', '0OIl', '1'.repeat(52), 'Qm'.repeat(40), '12D3KooW', 'é'.repeat(10)]) {
      assert.equal(verify(odd as Parameters<typeof verify>[0], new Uint8Array(3), signature), false)
    }
  })
})

import assert from 'node:assert/strict'
import { Directory } from '../../../../lib/protocols/multicast/directory.ts'
import { alice, bob, cryptoOf, keyOf, peer } from './sealing.ts'

const strangers = Array.from({ length: Directory.maxFormer + 1 }, (_, i) => peer(`stranger ${i}`))

function directory(): Directory {
  return new Directory(alice, cryptoOf(alice))
}

/** They come once and are gone. */
function passBy(at: Directory): void {
  for (const stranger of strangers) {
    at.member(stranger, 'alive', ['chat'])
    at.member(stranger, 'dead', ['chat'])
  }
}

describe('the directory of authors', () => {
  it('forgets who was a member and wrote nothing, the first to go first', () => {
    const at = directory()
    passBy(at)
    const [first, ...others] = strangers
    assert.ok(first !== undefined)
    assert.equal(at.isKnown(first), false)
    assert.equal(at.peerOf(keyOf(first)), undefined)
    for (const other of others) assert.ok(at.isKnown(other))
  })

  it('keeps this peer, members and authors, however many have gone', () => {
    const at = directory()
    const carol = peer('carol')
    at.member(bob, 'alive', [])
    at.member(carol, 'alive', [])
    at.author(carol)
    at.member(carol, 'left', [])
    passBy(at)
    for (const kept of [alice, bob, carol]) {
      assert.ok(at.isKnown(kept))
      assert.equal(at.peerOf(keyOf(kept)), kept)
    }
  })

  it('keeps who has written after it had gone, and who has come back', () => {
    const at = directory()
    const carol = peer('carol')
    for (const gone of [bob, carol]) at.member(gone, 'dead', [])
    at.author(bob)
    at.member(carol, 'alive', [])
    passBy(at)
    assert.ok(at.isKnown(bob))
    assert.ok(at.isKnown(carol))
  })

  it('knows again who was forgotten and comes back', () => {
    const at = directory()
    passBy(at)
    const [first] = strangers
    assert.ok(first !== undefined)
    at.member(first, 'alive', ['chat'])
    assert.ok(at.isKnown(first))
    assert.deepEqual(at.membersOf('chat'), [first])
  })
})

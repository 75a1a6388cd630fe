import assert from 'node:assert/strict'
import { resolvePeer } from '../../../daemon/control/peer-reference.ts'

const known = [
  { peerId: '12D3KooWAaa1', name: 'web' },
  { peerId: '12D3KooWAaa2', name: 'db' },
  { peerId: '12D3KooWBbb', name: 'db' },
  { peerId: '12D3KooWCcc', name: '12D3KooWAaa' },
]

describe('a peer that a person names', () => {
  it('is found by id, by unique prefix and by unique name', () => {
    assert.equal(resolvePeer('12D3KooWAaa1', known).peerId, '12D3KooWAaa1')
    assert.equal(resolvePeer('12D3KooWB', known).peerId, '12D3KooWBbb')
    assert.equal(resolvePeer('web', known).peerId, '12D3KooWAaa1')
  })

  it('is the one with that very name, also where the name looks like a prefix', () => {
    assert.equal(resolvePeer('12D3KooWAaa', known).peerId, '12D3KooWCcc')
  })

  it('is refused with the candidates when several match', () => {
    assert.throws(() => resolvePeer('db', known), {
      code: 'ERR_AMBIGUOUS_PEER',
      peers: [known[1], known[2]],
    })
    assert.throws(() => resolvePeer('12D3', known), { code: 'ERR_AMBIGUOUS_PEER' })
  })

  it('has its candidates told with what they are, where that is known', () => {
    const members = [
      { peerId: '12D3KooWAaa1', name: 'm2', status: 'dead' as const },
      { peerId: '12D3KooWBbb', name: 'm2', status: 'alive' as const },
    ]
    assert.throws(() => resolvePeer('m2', members), { peers: members })
  })

  it('is refused when nothing matches, and nothing is repeated at length', () => {
    assert.throws(() => resolvePeer('x'.repeat(120), known), {
      code: 'ERR_UNKNOWN_PEER',
      message: /^.{20,100}$/,
    })
  })
})

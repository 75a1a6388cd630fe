import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodeInvite, encodeInvite, type Invite, inviteLimits } from '../../daemon/invite.ts'

const invite: Invite = {
  cluster: 'shop',
  secret: Uint8Array.from({ length: 32 }, (_, at) => at),
  addresses: ['/ip4/192.0.2.7/tcp/4001', '/ip6/2001:db8::7/tcp/4001'],
  inviter: '12D3KooWQNfcrY2XCNuVhBYGGk3dFqqovE4FDXDuhJh2A81ZhfkG',
}

const anyInvite: fc.Arbitrary<Invite> = fc.record(
  {
    cluster: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
    secret: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    addresses: fc.array(fc.string({ maxLength: 100 }), { maxLength: inviteLimits.addresses }),
    inviter: fc.string({ maxLength: 64 }),
  },
  { noNullPrototype: true },
)

describe('an invite', () => {
  it('is one line that holds everything that was put in', () => {
    fc.assert(
      fc.property(anyInvite, (original) => {
        const line = encodeInvite(original)
        assert.match(line, /^p2pd-invite-1:[A-Za-z0-9_-]+$/)
        assert.deepEqual(decodeInvite(line), original)
      }),
    )
  })

  it('may be followed and surrounded by blank lines, spaces and comments', () => {
    const line = encodeInvite(invite)
    for (const text of [
      `${line}\n`,
      `\uFEFF# for m2\r\n\r\n  ${line}  \r\n# made today\n`,
      `\n\n${line}\t`,
    ]) {
      assert.deepEqual(decodeInvite(text), invite)
    }
  })

  it('that is cut short anywhere is torn', () => {
    const line = encodeInvite(invite)
    for (let length = 0; length < line.length; length++) {
      assert.throws(() => decodeInvite(line.slice(0, length)), { code: 'ERR_INVITE_TORN' })
    }
  })

  it('that is changed in any one character is refused', () => {
    const line = encodeInvite(invite)
    fc.assert(
      fc.property(fc.nat(line.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, character) => {
        fc.pre(line[at] !== character)
        const edited = line.slice(0, at) + character + line.slice(at + 1)
        assert.throws(() => decodeInvite(edited), { code: /^ERR_INVITE_(TORN|VERSION)$/ })
      }),
      { numRuns: 500 },
    )
  })

  it('of another version says so, also when its contents are unknown', () => {
    assert.throws(() => decodeInvite('p2pd-invite-2:whatever'), { code: 'ERR_INVITE_VERSION' })
  })

  it('with two lines, with none, or beyond 64 KiB is refused', () => {
    const line = encodeInvite(invite)
    for (const text of [
      `${line}\n${line}`,
      '',
      '# nothing\n',
      `${line}\n${'#'.repeat(inviteLimits.bytes)}`,
    ]) {
      assert.throws(() => decodeInvite(text), { code: 'ERR_INVITE_TORN' })
    }
  })

  it('with a secret of another length or too many addresses is refused although it is whole', () => {
    const wrong = [
      { ...invite, secret: new Uint8Array(16) },
      { ...invite, addresses: Array.from({ length: 17 }, () => '/ip4/192.0.2.7/tcp/1') },
      { ...invite, addresses: ['x'.repeat(inviteLimits.addressChars + 1)] },
    ]
    for (const one of wrong) assert.throws(() => decodeInvite(encodeInvite(one)), { code: 'ERR_INVITE_TORN' })
  })
})

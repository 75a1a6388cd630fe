/**
 * An invite into a cluster that is yet to be founded: a secret that nobody has
 * yet. It asks no daemon and writes nothing. Machines with one configuration get
 * the same, and found together with `--expect`.
 */
import { P2pdError } from '../lib/wire/errors.ts'
import { assertDialAddresses, maxAddressCount } from './address.ts'
import { defaultCluster } from './cluster-plan.ts'
import { makeClusterSecret } from './cluster-secret.ts'
import { encodeInvite } from './invite.ts'
import { namePattern } from './names.ts'

export interface NewInvite {
  /** One line; holds the cluster secret. */
  readonly invite: string
  readonly cluster: string
  readonly addresses: readonly string[]
}

/** Errors: ERR_USAGE, ERR_BAD_ADDRESS. */
export function newInvite(cluster = defaultCluster, addresses: readonly string[] = []): NewInvite {
  if (!namePattern.test(cluster)) {
    throw new P2pdError('ERR_USAGE', "option '--cluster <name>': that is no name of a cluster", {
      hint: '1 to 63 letters, digits, dots, dashes or underscores, a letter or digit first',
    })
  }
  if (addresses.length > maxAddressCount) {
    throw new P2pdError('ERR_USAGE', `an invite names at most ${maxAddressCount} addresses`, {
      hint: 'give the others with --join',
    })
  }
  assertDialAddresses(addresses)
  const invite = encodeInvite({ cluster, secret: makeClusterSecret(), addresses, inviter: '' })
  return { invite, cluster, addresses }
}

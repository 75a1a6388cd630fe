/**
 * Plausible mistakes in locks and in the change of their voters. The simulator has
 * to catch each: what no test notices when it is wrong is not tested.
 */
import type { Grant } from '../../plugins/mutex/core/electorate/messages.ts'
import { standardElectorateUnits } from '../../plugins/mutex/core/electorate/units.ts'
import type { MutexMutant } from '../../testnet/sim/mutex/lock-cluster.ts'

export const mutexMutants: readonly MutexMutant[] = [
  {
    name: 'quorum-from-view',
    mistake: 'a quorum is more than half of the voters that seem alive',
    units: { isQuorum: (_voters, members, present) => 2 * members.size > present.size },
  },
  {
    name: 'naive-token',
    mistake: 'the token is the highest proposal of a quorum, confirmed or not',
    units: {
      agreedToken: (votes, isQuorum) =>
        isQuorum(new Set(votes.map(({ arbiter }) => arbiter)))
          ? Math.max(...votes.map(({ level }) => level))
          : undefined,
    },
  },
  {
    name: 'no-abstention',
    mistake: 'a voter votes at once after a crash',
    units: { abstentionMs: () => 0 },
  },
  {
    name: 'lease-from-grant',
    mistake: 'a lease counts from when its grant arrived',
    units: { leaseBase: ({ sentAt, grantedAt }) => Math.max(sentAt, grantedAt) },
  },
  {
    name: 'lease-from-receipt',
    mistake: 'a lease counts from when the last word of its arbiter arrived',
    units: { leaseBase: ({ receivedAt }) => receivedAt },
  },
  {
    name: 'lease-from-last-ping',
    mistake: 'a lease counts from when anything was last sent to its arbiter',
    units: { leaseBase: ({ lastSentAt }) => lastSentAt },
  },
  {
    name: 'clocks-not-merged',
    mistake: 'Lamport clocks are not merged',
    units: { mergeClock: (own) => own },
  },
  {
    name: 'sends-before-sync',
    mistake: 'an arbiter grants before the requester has said what it has outstanding',
    units: { maySend: () => true },
  },
  {
    name: 'inquire-not-repeated',
    mistake: 'an INQUIRE that was lost is not sent again',
    units: { repeatsInquire: false },
  },
  {
    name: 'grant-numbers-repeat',
    mistake: "a new life's grants have the numbers of the last one's",
    units: { grantGeneration: () => 1 },
  },
  {
    name: 'one-reported-vote-blocks',
    mistake: 'of the votes that are reported for a lock only one blocks it',
    units: { blocking: ({ grants }) => firstOfEachLock(grants) },
  },
  {
    name: 'abstainer-reports-none',
    mistake: 'a voter that abstains reports no votes but those that it knows of',
    units: { reportedUnknownMs: () => 0 },
  },
  {
    name: 'serves-before-installing',
    mistake: 'a voter serves a version without the reports of the one before',
    units: { mayInstall: () => true },
  },
  {
    name: 'seal-not-durable',
    mistake: 'a crash forgets that a version was sealed',
    units: { sealIsDurable: false },
  },
  {
    name: 'sealed-voter-confirms',
    mistake: 'a voter that has sealed a version still confirms tokens there',
    units: { sealedConfirms: true },
  },
  {
    name: 'maxima-not-transferred',
    mistake: 'a new version counts its tokens from nothing',
    units: { merge: (reports) => ({ ...standardElectorateUnits.merge(reports), floor: 0 }) },
  },
  {
    name: 'renewal-overrides',
    mistake: 'a renewal of an inherited vote counts whatever else blocks the lock',
    units: { renewalOverrides: true },
  },
  {
    name: 'forgets-inherited',
    mistake: 'a clean stop forgets the votes of the version before',
    units: { keepsInherited: false },
  },
  {
    name: 'promise-not-durable',
    mistake: 'a crash forgets which ballot was promised',
    units: { promiseIsDurable: false },
  },
  {
    name: 'accept-not-durable',
    mistake: 'a crash forgets which decision was accepted',
    units: { acceptIsDurable: false },
  },
  {
    name: 'seals-without-ready',
    mistake: 'voters change though those who come next do not answer',
    units: { maySeal: () => true, mayPropose: () => true },
  },
  {
    name: 'granted-not-durable',
    mistake: 'a crash forgets that an electorate has granted, and may not dissolve',
    units: { grantedIsDurable: false },
  },
  {
    name: 'dissolves-both',
    mistake: 'two fresh electorates dissolve into each other',
    units: { mayDissolve: () => true },
  },
  {
    name: 'clean-mark-kept',
    mistake: 'the mark of a clean stop outlives the next start',
    units: { removesCleanMark: false },
  },
  {
    name: 'grants-after-snapshot',
    mistake: 'a voter that stops grants after it has written its votes',
    units: { stopsBeforeSnapshot: false },
  },
  {
    name: 'no-stamp',
    mistake: 'nobody notices that a disk went back',
    units: { isRolledBack: () => false },
  },
]

function firstOfEachLock(grants: readonly Grant[]): readonly Grant[] {
  return grants.filter((grant, i) => grants.findIndex(({ lock }) => lock === grant.lock) === i)
}

import type { MembershipRun } from '../../../testnet/sim/membership/run.ts'

/** What a person needs to replay and understand a failed seed. */
export function describeRun(seed: number, { violations }: MembershipRun): string {
  const lines = violations.map(({ property, at, message }) => `${Math.round(at)} ms ${property}: ${message}`)
  return [`npm run sim -- --protocol membership --from ${seed} --seeds 1 --story`, ...lines].join('\n  ')
}

import type { Violation } from '../../../testnet/checkers/history.ts'

/** What a person needs to replay and understand a failed seed. */
export function describeRun(
  protocol: 'membership' | 'multicast' | 'mutex',
  seed: number,
  { violations }: { readonly violations: readonly Violation[] },
): string {
  const lines = violations.map(({ property, at, message }) => `${Math.round(at)} ms ${property}: ${message}`)
  return [`npm run sim -- --protocol ${protocol} --from ${seed} --seeds 1 --story`, ...lines].join('\n  ')
}

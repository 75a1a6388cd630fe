/**
 * How long a suspicion lasts before it becomes a death (Lifeguard §IV-C).
 *
 * It starts at the maximum and falls with each independent confirmation: one
 * accuser may itself be the sick one; four who agree are not.
 */
export interface SuspicionInput {
  /** Members that are alive or suspect in the own view, self included. */
  readonly n: number
  /** Members other than self and subject that are neither suspect nor dead: who could confirm. */
  readonly healthyOthers: number
  /** Distinct accusers of this incarnation. */
  readonly accusers: number
  /** Of those, the ones whose accusations have not lately been refuted alone. */
  readonly credibleAccusers: number
  /** Before scaling by the cluster's size, ms. */
  readonly minMs: number
  readonly maxFactor: number
  /** The own view may be the sick one: wait as long as may be. */
  readonly isolated: boolean
}

/** Lifeguard's max − (max − min)·log(C+1)/log(K+1), from the first accusation, ms. */
export function suspicionTimeoutMs(input: SuspicionInput): number {
  const min = scaledMinimumMs(input.minMs, input.n)
  const max = min * input.maxFactor
  if (input.isolated) return max
  // A muted accuser confirms, but may not be the reason for haste.
  if (input.accusers > input.credibleAccusers && input.credibleAccusers < 2) return max
  const k = Math.min(3, input.healthyOthers - 1)
  if (k <= 0) return min
  const c = Math.min(k, Math.max(0, input.accusers - 1))
  return max - ((max - min) * Math.log(c + 1)) / Math.log(k + 1)
}

/** Rumours need longer to cross a larger cluster (memberlist's suspicionTimeout). */
export function scaledMinimumMs(minMs: number, n: number): number {
  return minMs * Math.max(1, Math.log10(Math.max(1, n)))
}

/** Who accuses one incarnation. */
export interface Witnesses {
  readonly accusers: number
  /** Of those, the ones whose accusations have not lately been refuted alone. */
  readonly credible: number
}

/** Who has cried wolf opens nothing. */
export function witnessesOpen({ credible }: Witnesses): boolean {
  return credible > 0
}

/** Who has cried wolf still confirms: else a liar could have a true accuser muted. */
export function witnessesCounted({ accusers }: Witnesses): number {
  return accusers
}

/** With four members or more, one liar evicts nobody; with three or fewer it can. */
export function accusersNeeded(n: number): number {
  return n >= 4 ? 2 : 1
}

/** A refusal is a stronger proof than a missed probe, so it needs no time-out, but as many witnesses. */
export function refusersNeeded(n: number): number {
  return n >= 4 ? 2 : 1
}

/**
 * As many witnesses where the subject's own silence says nothing, because it was never heard or never would be.
 * On rings that is so for nearly everybody: all that are kept must agree, which are more than two that collude.
 */
export function refusersAmongStrangers(meshed: boolean): number {
  return meshed ? Number.POSITIVE_INFINITY : 4
}

/** So long nothing may have come from a subject before refusals count, ms. */
export const refusalSilenceMs = 100

/** Own bytes outrank any number of refusals: else two colluding liars could evict everybody. */
export function refusalStands(own: { connected: boolean; silentForMs: number }): boolean {
  return !own.connected && own.silentForMs >= refusalSilenceMs
}

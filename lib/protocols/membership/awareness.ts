/**
 * Lifeguard's local health multiplier: am I the sick one (§IV-A)?
 *
 * 0 is well, 8 is worst. It scales the probe period and the time-out both, so a
 * peer that has trouble slows down before it accuses.
 */
export class Awareness {
  static readonly worst = 8
  #score = 0
  #refutedAt = Number.NEGATIVE_INFINITY

  get score(): number {
    return this.#score
  }

  /** What periods and time-outs are multiplied by. */
  get multiplier(): number {
    return this.#score + 1
  }

  probeSucceeded(): void {
    this.#add(-1)
  }

  /** Only for a subject that nobody suspected when the probe began: a dead peer says nothing of me. */
  probeFailed(): void {
    this.#add(1)
  }

  /** A helper that was asked and is alive said nothing at all: the silence is likely mine. */
  nackMissed(): void {
    this.#add(1)
  }

  /**
   * Somebody had to be told that I live. At most once a period: a mass death raises many at once.
   * The own period, in which one probe may succeed: else a single liar makes whom it likes the slowest.
   */
  refuted(now: number, periodMs: number): void {
    if (now - this.#refutedAt < periodMs * this.multiplier) return
    this.#refutedAt = now
    this.#add(1)
  }

  #add(delta: number): void {
    this.#score = Math.min(Awareness.worst, Math.max(0, this.#score + delta))
  }
}

export interface IsolationInput {
  /** Members that are alive or suspect, self included, and how many of them are suspect. */
  readonly n: number
  readonly suspects: number
  /** Since bytes last came from anybody, and since a connect was last refused, ms. */
  readonly silentForMs: number
  readonly unrefusedForMs: number
  /** The suspicion minimum for so many members, ms. */
  readonly suspicionMinMs: number
}

/**
 * Nothing is heard while many are suspected: the silence is likely one's own. A
 * refusal came from another machine's kernel, so it proves the own connection.
 */
export function isIsolated(input: IsolationInput): boolean {
  const { n, suspects, silentForMs, unrefusedForMs, suspicionMinMs } = input
  if (n < 3) return false
  const many = Math.min(n - 1, Math.max(3, Math.ceil(n / 5)))
  return suspects >= many && Math.min(silentForMs, unrefusedForMs) > suspicionMinMs
}

/**
 * `late`: what was outstanding proves nothing, for its answer may lie in the socket.
 * `away`: so long that the others may have judged this member meanwhile.
 */
export type Lag = 'none' | 'late' | 'away'

/** Of a timer that fired `lagMs` late. */
export function lagOf(
  lagMs: number,
  config: { readonly timeoutMaxMs: number; readonly suspicionMinMs: number },
): Lag {
  if (lagMs > config.suspicionMinMs) return 'away'
  return lagMs > config.timeoutMaxMs / 2 ? 'late' : 'none'
}

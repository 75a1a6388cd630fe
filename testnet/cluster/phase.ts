/** What is told of a scenario as it goes on. */

/** One step that was carried out. `figures` are milliseconds where their name ends in `Ms`. */
export interface Phase {
  readonly phase: string
  readonly peer?: string
  /** For people, as it goes on. */
  readonly text: string
  /** What and how fast, for the summary; absent where there is nothing to measure. */
  readonly summary?: readonly [what: string, figures: string]
  readonly figures: Readonly<Record<string, number>>
}

export interface PhaseListener {
  begin(text: string): void
  end(phase: Phase): void
}

export function whole(ms: number): string {
  return `${Math.round(ms)} ms`
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

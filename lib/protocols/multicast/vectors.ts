/**
 * Exact vector clocks, rebuilt and never sent (Fidge 1988, Mattern 1989).
 *
 * The vector of a message is the merge of its parents' vectors and its own dot.
 * It is kept as the few entries in which it lies *below* the delivered vector at
 * the message's index: about seven at 1000 peers, where whole vectors would be a
 * thousand each. What a parent's vector holds at an entry is then either in its
 * own list or what was delivered of that entry at its index.
 */
import type { EntryKey } from './messages.ts'

/** A message whose vector is known: where it stands in the log, and its entries below. */
export interface Stand {
  readonly index: number
  readonly below: ReadonlyMap<EntryKey, number>
  readonly exact: boolean
}

/** What vectors need of the log. */
export interface DeliveryOrder {
  /** What was delivered of `entry` at `index`, inclusive. */
  valueAt(entry: EntryKey, index: number): number
  /** What is delivered now. */
  valueNow(entry: EntryKey): number
  /** Below the log. */
  valueAtBase(entry: EntryKey): number
  /** Logs of the deliveries after `index`, with repetitions; undefined when all entries are the shorter list. */
  entriesAfter(index: number): Iterable<EntryKey>
  entries(): Iterable<EntryKey>
}

/** `unknown`: parents of which only the dot is known, as entry and seq. */
export function belowOf(
  own: EntryKey,
  parents: readonly Stand[],
  unknown: readonly (readonly [EntryKey, number])[],
  order: DeliveryOrder,
): { readonly below: ReadonlyMap<EntryKey, number>; readonly exact: boolean } {
  const below = new Map<EntryKey, number>()
  const newest = newestOf(parents)
  const consider = (entry: EntryKey): void => {
    if (entry === own || below.has(entry)) return
    let value = 0
    for (const parent of parents) {
      value = Math.max(value, parent.below.get(entry) ?? order.valueAt(entry, parent.index))
    }
    for (const [known, seq] of unknown) if (known === entry) value = Math.max(value, seq)
    if (value < order.valueNow(entry)) below.set(entry, value)
  }
  if (newest === undefined) {
    for (const entry of order.entries()) consider(entry)
  } else {
    // Elsewhere the newest parent's vector is what was delivered at its index, and nothing came since.
    for (const entry of order.entriesAfter(newest.index)) consider(entry)
    for (const entry of newest.below.keys()) consider(entry)
  }
  return { below, exact: isExact(parents, unknown.length, order) }
}

/**
 * What is unknown of a vector lies below the log's base: it does no harm once
 * another parent covers the base.
 */
function isExact(parents: readonly Stand[], unknown: number, order: DeliveryOrder): boolean {
  if (unknown === 0 && parents.every(({ exact }) => exact)) return true
  return parents.some(
    ({ exact, below }) => exact && [...below].every(([entry, value]) => value >= order.valueAtBase(entry)),
  )
}

function newestOf(parents: readonly Stand[]): Stand | undefined {
  let newest: Stand | undefined
  for (const parent of parents) if (newest === undefined || parent.index > newest.index) newest = parent
  return newest
}

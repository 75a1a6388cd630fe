/** What somebody who mistyped a word may have meant. */

/** The candidate that is at most two edits from `word`, or that it abbreviates. */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length >= 2) {
    const completed = candidates.filter((candidate) => candidate.startsWith(word))
    if (completed.length === 1) return completed[0]
  }
  let best: string | undefined
  let bestDistance = Math.min(3, word.length)
  for (const candidate of candidates) {
    const distance = editDistance(word.slice(0, 40), candidate)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Levenshtein 1966. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next[j] = Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1)
    }
    row = next
  }
  return row[b.length] ?? 0
}

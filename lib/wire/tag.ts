/** What people say of a member: `role=web`. */
import { maxTagKeyLength, maxTags, maxTagValueLength } from './limits.ts'

/** Letters, digits, dot, dash and underscore, so that `KEY=VALUE` and a filter need no quotes. */
export function isTagKey(key: string): boolean {
  // An object cannot be trusted with that one: some copies drop it, others take it for its prototype.
  return key.length <= maxTagKeyLength && /^[A-Za-z0-9._-]+$/.test(key) && key !== '__proto__'
}

/** Printable ASCII, which can neither repaint nor reorder a line; may be empty. */
export function isTagValue(value: string): boolean {
  return value.length <= maxTagValueLength && /^[ -~]*$/.test(value)
}

/** `KEY=VALUE` taken apart at the first `=`; undefined where there is none, or no key before it. */
export function splitTag(text: string): readonly [key: string, value: string] | undefined {
  const at = text.indexOf('=')
  return at <= 0 ? undefined : [text.slice(0, at), text.slice(at + 1)]
}

/** What is wrong with them, in words that follow their name; undefined when nothing is. */
export function tagsProblem(tags: Readonly<Record<string, unknown>>): string | undefined {
  const entries = Object.entries(tags)
  if (entries.length > maxTags) return `are ${entries.length}, and at most ${maxTags} are taken`
  for (const [key, value] of entries) {
    const problem = tagProblem(key, value)
    if (problem !== undefined) return problem
  }
  return undefined
}

function tagProblem(key: string, value: unknown): string | undefined {
  const shown = JSON.stringify(key.slice(0, maxTagKeyLength))
  if (!isTagKey(key)) {
    return `hold ${shown}: a key has 1 to ${maxTagKeyLength} letters, digits, dots, dashes or underscores`
  }
  if (typeof value === 'string' && isTagValue(value)) return undefined
  return `hold ${shown} with a value that is no text of at most ${maxTagValueLength} printable ASCII characters`
}

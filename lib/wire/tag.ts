/** What people say of a member: `role=web`. */
import { maxTagKeyLength, maxTagValueLength } from './limits.ts'

/** Letters, digits, dot, dash and underscore, so that `KEY=VALUE` and a filter need no quotes. */
export function isTagKey(key: string): boolean {
  return key.length <= maxTagKeyLength && /^[A-Za-z0-9._-]+$/.test(key)
}

/** Printable ASCII, which can neither repaint nor reorder a line; may be empty. */
export function isTagValue(value: string): boolean {
  return value.length <= maxTagValueLength && /^[ -~]*$/.test(value)
}

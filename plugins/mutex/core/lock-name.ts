import { utf8Length } from '../../../lib/wire/utf8.ts'
import { mutexLimits } from './limits.ts'

/**
 * Whether this can name a lock: 1 to 256 bytes of UTF-8, well-formed, and without
 * what would repaint or reorder the line that shows it.
 */
export function isLockName(name: string): boolean {
  if (name.length === 0 || name.length > mutexLimits.nameBytes) return false
  return utf8Length(name) <= mutexLimits.nameBytes && !unsuited.test(name)
}

/** Control characters, lone surrogates, separators of lines, and marks that change the direction of text. */
const unsuited = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u

/** Tags as people type them: `role=web`. */
import { P2pdError } from '../lib/wire/errors.ts'
import { splitTag, tagsProblem } from '../lib/wire/tag.ts'

/** `KEY=VALUE`. Throws ERR_USAGE. */
export function parseTag(text: string): readonly [key: string, value: string] {
  const tag = splitTag(text)
  if (tag === undefined) throw wrong(text, 'is not KEY=VALUE')
  check(text, Object.fromEntries([tag]))
  return tag
}

/** Throws ERR_USAGE. */
export function parseTagKey(key: string): string {
  check(key, Object.fromEntries([[key, '']]))
  return key
}

/** `KEY=VALUE`, or `KEY` for any value; see `matchesTag`. Throws ERR_USAGE. */
export function parseTagFilter(text: string): string {
  check(text, Object.fromEntries([splitTag(text) ?? [text, '']]))
  return text
}

/** `role=web` means that very value, `role` any. */
export function matchesTag(tags: Readonly<Record<string, string>>, filter: string): boolean {
  const [key, value] = splitTag(filter) ?? [filter]
  return Object.hasOwn(tags, key) && (value === undefined || tags[key] === value)
}

function check(text: string, tags: Readonly<Record<string, string>>): void {
  const problem = tagsProblem(tags)
  if (problem !== undefined) throw wrong(text, `is no tag: the tags ${problem}`)
}

function wrong(text: string, problem: string): P2pdError {
  return new P2pdError('ERR_USAGE', `'${text.slice(0, 64)}' ${problem}`, {
    hint: 'write it like role=web: letters, digits, dots, dashes and underscores before the first =',
  })
}

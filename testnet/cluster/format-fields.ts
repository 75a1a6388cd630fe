/** Reads values out of JSON that somebody wrote; what does not fit is named by its place. */

export class Misfit extends Error {
  constructor(place: string, problem: string) {
    super(`${place} ${problem}`)
  }
}

export type Fields = Readonly<Record<string, unknown>>

const maxListed = 100
const maxMs = 600_000

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Misfit('it', `is not JSON (${error instanceof Error ? error.message : String(error)})`)
  }
}

/** With `names`: no others. */
export function object(value: unknown, place: string, names?: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Misfit(place, 'must be an object')
  }
  const stray = names && Object.keys(value).find((key) => !names.includes(key))
  if (stray !== undefined) {
    throw new Misfit(place, `has no '${stray}': it takes ${names?.join(', ')}`)
  }
  return value as Fields
}

/** Of a group or a lock. */
export function name(value: unknown, place: string): string {
  return text(value, place, /^[!-~]{1,64}$/, '1 to 64 characters of ASCII without space')
}

export function list(value: unknown, place: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0 && value.length <= maxListed) return value
  throw new Misfit(place, `must be a list of 1 to ${maxListed}`)
}

export function text(value: unknown, place: string, pattern: RegExp, expected: string): string {
  if (typeof value === 'string' && pattern.test(value)) return value
  throw new Misfit(place, `must be ${expected}`)
}

export function choice<Choice extends string>(
  value: unknown,
  place: string,
  choices: readonly Choice[],
): Choice {
  const found = choices.find((candidate) => candidate === value)
  if (found !== undefined) return found
  throw new Misfit(place, `must be one of ${choices.join(', ')}`)
}

export function flag(value: unknown, place: string): boolean {
  if (typeof value === 'boolean') return value
  throw new Misfit(place, 'must be true or false')
}

export function ms(value: unknown, place: string): number {
  return whole(value, place, 1, maxMs)
}

export function whole(value: unknown, place: string, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw new Misfit(place, `must be a whole number from ${min} to ${max}`)
}

const profiles = ['local', 'lan', 'wan']

/**
 * An object with one value a profile, `{ "local": 3000, "lan": 5000 }`, is replaced by that of
 * `profile`, anywhere. Where it has none, the whole is not for that profile.
 */
export function ofProfile(value: unknown, profile: string, place = ''): unknown {
  if (Array.isArray(value)) {
    return value.map((item, index) => ofProfile(item, profile, `${place}[${index}]`))
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  const named = entries.map(([key]) => key)
  if (named.length > 0 && named.every((key) => profiles.includes(key))) {
    if (named.includes(profile)) return ofProfile(Reflect.get(value, profile), profile, place)
    throw new Misfit(
      place === '' ? 'it' : place,
      `is for the profiles ${named.join(', ')}, not for ${profile}`,
    )
  }
  const within = (key: string): string => (place === '' ? key : `${place}.${key}`)
  return Object.fromEntries(entries.map(([key, item]) => [key, ofProfile(item, profile, within(key))]))
}

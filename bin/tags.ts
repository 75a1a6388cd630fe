/** Tags as people read them: `role=web,zone=eu-1`. */

/** In rising order of keys. */
export function formatTags(tags: Readonly<Record<string, string>>): string {
  return Object.entries(tags)
    .map(([key, value]) => `${key}=${/[ ,"]/.test(value) ? JSON.stringify(value) : value}`)
    .sort()
    .join(',')
}

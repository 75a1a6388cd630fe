import { setTimeout as delay } from 'node:timers/promises'

/** Looks again and again until `look` gives something truthy; fails loudly after `withinMs`. */
export async function eventually<Value>(
  what: string,
  look: () => Value | Promise<Value>,
  withinMs = 10_000,
): Promise<NonNullable<Value>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const value = await look()
    if (value) return value
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await delay(20)
  }
}

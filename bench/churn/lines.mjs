/** A program that is told what to do by JSON lines and answers each with one, in order; it ends with its input. */
import { createInterface } from 'node:readline'

export async function obey(deeds) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: deed, ...command } = JSON.parse(line)
    const answer = await deeds[deed](command)
    process.stdout.write(`${JSON.stringify(answer ?? null)}\n`)
  }
  process.exit(0)
}

import type { TraceEvent } from '../../../testnet/spacetime/trace-event.ts'
import type { Talk } from '../checkers/talk.ts'

/** What the peers of a talk would have traced: a message delivered by its own author is its publication. */
export function tracesOf(talk: Talk): readonly TraceEvent[] {
  return talk.events.flatMap((event): readonly TraceEvent[] => {
    if (event.type !== 'delivered') return []
    const { group, peer, life, index, sender, epoch, seq, at, vector } = event
    const kind = sender === peer && epoch === life ? 'publish' : 'deliver'
    const after = Object.entries(vector ?? {}).flatMap(([name, count]) => {
      const last = name === `${sender}#${epoch}` ? count - 1 : count
      return last > 0 ? [`${name}:${last}`] : []
    })
    return [{ group, host: peer, hostEpoch: life, index, kind, sender, epoch, seq, time: at, after }]
  })
}

/** A fixed sequence of numbers, uniform in 0 ≤ x < 1. */
export function draws(seed: number): () => number {
  let state = (seed % 2147483646) + 1
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
}

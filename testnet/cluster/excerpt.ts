/** A piece of a recorded talk as traces, for a space-time diagram that people can take in. */
import type { TraceEvent } from '../spacetime/trace-event.ts'
import type { Delivery } from './group-reader.ts'

/** Messages that are skipped: everybody's first ones cross each other, and replies come after them. */
const skippedPerPeer = 1
const shownMessages = 10

/**
 * The traces that the daemons would have of some messages early in a talk. A
 * daemon's own message stands in its log where it was published.
 */
export function excerpt(deliveries: readonly Delivery[], peers: number): readonly TraceEvent[] {
  const own = deliveries.filter(isOwn).sort((a, b) => a.at - b.at)
  const first = Math.max(0, Math.min(peers * skippedPerPeer, own.length - shownMessages))
  const shown = new Set(own.slice(first, first + shownMessages).map(dotOf))
  const lives = new Map(own.map(({ reader, sender, epoch }) => [reader, { host: sender, hostEpoch: epoch }]))
  return deliveries.flatMap((delivery): readonly TraceEvent[] => {
    const life = lives.get(delivery.reader)
    if (life === undefined || !shown.has(dotOf(delivery))) return []
    const { group, index, sender, epoch, seq, at } = delivery
    const kind = isOwn(delivery) ? 'publish' : 'deliver'
    return [{ ...life, group, index: index + 1, kind, sender, epoch, seq, time: at, after: [] }]
  })
}

/** In the life in which it was published: nothing else has the reader's generation as its epoch. */
function isOwn({ reader, epoch, data }: Delivery): boolean {
  return epoch === reader.epoch && data.startsWith(`${reader.peer} `)
}

function dotOf({ sender, epoch, seq }: Delivery): string {
  return `${sender}#${epoch}:${seq}`
}

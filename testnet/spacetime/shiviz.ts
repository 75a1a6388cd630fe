/**
 * The log format of ShiViz, a viewer of space-time diagrams in the browser
 * (bestchai.bitbucket.io/shiviz): upload the file, and it draws.
 *
 * The first line is the regular expression that reads an event, the second the
 * delimiter between executions, empty where there is only one; ShiViz puts `^`
 * and `$` around both. Every group is an execution. Its rules: each host counts
 * its events from 1 by 1, is in its own clock, and no clock names a host that
 * has no events.
 */
import { buildSpaceTime, type SpaceTime } from './space-time.ts'
import type { TraceEvent } from './trace-event.ts'

const eventPattern = '(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)'
const delimiterPattern = '=== (?<trace>.*) ==='

/** Ends with a newline. `names` are what people call hosts. Throws TraceError as `buildSpaceTime`. */
export function shiviz(events: readonly TraceEvent[], names?: ReadonlyMap<string, string>): string {
  const groups = new Map<string, TraceEvent[]>()
  for (const event of events) {
    const group = groups.get(event.group) ?? []
    groups.set(event.group, group)
    group.push(event)
  }
  const several = groups.size > 1
  const parts = [eventPattern, several ? delimiterPattern : '']
  for (const [name, ofGroup] of groups) {
    if (several) parts.push(`=== ${name} ===`)
    parts.push(...execution(buildSpaceTime(ofGroup, names), names))
  }
  return `${parts.join('\n')}\n`
}

function execution(
  { lines, events }: SpaceTime,
  names: ReadonlyMap<string, string> | undefined,
): readonly string[] {
  return events.map(({ line, clock, kind, message, synthesised }) => {
    const entries = lines.flatMap((name, index) => {
      const count = clock[index] ?? 0
      return count > 0 ? [[name, count] as const] : []
    })
    const sender = (names?.get(message.sender) ?? message.sender).replaceAll(/\s+/g, '_')
    const text = `${kind} ${sender}#${message.epoch}:${message.seq}${synthesised ? ' (not in any trace)' : ''}`
    return `${lines[line]} ${JSON.stringify(Object.fromEntries(entries))}\n${text}`
  })
}

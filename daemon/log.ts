/**
 * The daemon's log, on stderr: lines for people, or JSON with `--json`.
 *
 * Written synchronously and by this very thread: pino's transports would start a
 * worker, which costs more memory than the rest of the daemon's own code, and
 * lose the last lines of a process that ends.
 */
import { type Logger, pino } from 'pino'
import type { LogLevel } from './config.ts'

export interface LogOptions {
  readonly level: LogLevel
  readonly json: boolean
  readonly colour: boolean
}

export interface LineSink {
  write(text: string): unknown
}

export function createLog(sink: LineSink, options: LogOptions): Logger {
  const target = options.json
    ? sink
    : { write: (line: string) => sink.write(humanLine(line, options.colour)) }
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    target,
  )
}

const colours: Readonly<Record<string, string>> = { warn: '\x1b[33m', error: '\x1b[31m', fatal: '\x1b[31m' }

/** `12:00:01 INFO  message key=value`; what is not a JSON line passes as it is. */
export function humanLine(line: string, colour: boolean): string {
  let fields: Record<string, unknown>
  try {
    fields = JSON.parse(line) as Record<string, unknown>
  } catch {
    return line
  }
  const { level, time, msg, err, ...others } = fields
  const name = String(level)
  const label = name.toUpperCase().padEnd(5)
  const paint = colour ? colours[name] : undefined
  const pairs = Object.entries({ ...others, ...errorFields(err) }).map(
    ([key, value]) => ` ${key}=${text(value)}`,
  )
  const clock = String(time).slice(11, 19)
  return `${clock} ${paint === undefined ? label : `${paint}${label}\x1b[0m`} ${String(msg ?? '')}${pairs.join('')}\n`
}

/** One line an error: the stack stays in the JSON log. */
function errorFields(error: unknown): Record<string, unknown> {
  if (typeof error !== 'object' || error === null) return {}
  return { error: Reflect.get(error, 'message'), code: Reflect.get(error, 'code') }
}

function text(value: unknown): string {
  const plain = typeof value === 'string' ? value : JSON.stringify(value)
  return /^[^\s"=]+$/.test(plain ?? '') ? plain : JSON.stringify(value ?? null)
}

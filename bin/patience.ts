import { type Context, printLine } from './context.ts'

/** Of silence after which a person wonders, ms. */
const silenceMs = 5000

/** The answer; says on stderr, once, that it is not there yet. */
export async function patiently<Answer>(
  { json, stderr }: Pick<Context, 'json' | 'stderr'>,
  answer: Promise<Answer>,
  afterMs = silenceMs,
): Promise<Answer> {
  // A program that reads errors as JSON has a limit of its own.
  if (json) return await answer
  const timer = setTimeout(() => printLine(stderr, 'p2pd: the daemon does not answer yet'), afterMs)
  try {
    return await answer
  } finally {
    clearTimeout(timer)
  }
}

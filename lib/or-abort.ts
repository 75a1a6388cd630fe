import { withResolvers } from './host/with-resolvers.ts'

/** What `promise` comes to, or the signal's reason if that aborts first; `aborted` then runs before it rejects. */
export async function orAbort<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  aborted: () => void = () => {},
): Promise<T> {
  if (signal === undefined) return await promise
  // Nobody may wait for it any more when it fails.
  promise.catch(() => {})
  signal.throwIfAborted()
  const gone = withResolvers<never>()
  const onAbort = (): void => {
    aborted()
    gone.reject(signal.reason)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, gone.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

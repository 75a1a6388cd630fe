import type { FastifyRequest } from 'fastify'

/** What a client that resumes a stream saw last; an empty one is none, as in the standard. */
export function lastEventIdOf({ headers }: FastifyRequest): string | undefined {
  const id = headers['last-event-id']
  return typeof id === 'string' && id !== '' ? id : undefined
}

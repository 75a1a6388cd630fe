import { type ClientRequest, type IncomingMessage, request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export type Place = { readonly socketPath: string } | { readonly host: string; readonly port: number }

export interface Call {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

export function call(
  place: Place,
  path: string,
  { method = 'GET', headers = {}, body }: Call = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...place, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

export function post(place: Place, path: string, body: unknown): Promise<Answer> {
  return call(place, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

/** The stream's response, flowing only once somebody reads it. */
export function openStream(
  place: Place,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ request: ClientRequest; response: IncomingMessage }> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...place, path, headers, agent: false }, (response) =>
      resolve({ request: sent, response }),
    )
    sent.on('error', reject)
    sent.end()
  })
}

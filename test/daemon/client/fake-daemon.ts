import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface FakeDaemon {
  readonly dataDir: string
  stop(): Promise<void>
}

/** Serves `listener` where a daemon on a fresh data directory would have its control socket. */
export async function startFakeDaemon(listener: RequestListener, socketPath?: string): Promise<FakeDaemon> {
  const dataDir = await mkdtemp(join(tmpdir(), 'p2pd-client-'))
  const server = createServer(listener)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath ?? join(dataDir, 'control.sock'), resolve)
  })
  return {
    dataDir,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
      await rm(dataDir, { recursive: true })
    },
  }
}

/** Answers every request with this status and body. */
export function answering(status: number, body: unknown): RequestListener {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }
}

import { connect } from 'node:net'
import type { Multiaddr } from '@multiformats/multiaddr'
import { readAddress } from './addresses.ts'

/** One TCP connect, closed at once; `connected` when it was accepted. Does nothing where there is no address of that kind. */
export function bareConnect(address: Multiaddr, signal: AbortSignal, connected: () => void): void {
  const target = readAddress(address.toString())
  if (target === undefined || signal.aborted) return
  const socket = connect({ host: target.host, port: target.port })
  const end = (): void => {
    signal.removeEventListener('abort', end)
    socket.destroy()
  }
  signal.addEventListener('abort', end, { once: true })
  socket.once('error', end)
  socket.once('connect', () => {
    connected()
    end()
  })
}

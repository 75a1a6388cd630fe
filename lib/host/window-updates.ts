import type { Stream } from '@libp2p/interface'
import { StreamState, YamuxStream } from '@libp2p/yamux/stream'

/** What yamux keeps of a stream's receiving side. */
interface Window {
  state: StreamState
  /** Bytes that the peer may send until the next update, and what an update fills that up to. */
  recvWindowCapacity: number
  recvWindow: number
  sendWindowUpdate(): void
}

/**
 * Lets the peer use up half of its window before it is told that there is more of it. yamux itself
 * says so after each frame, which is a write to the socket and a packet, acknowledged by another: more
 * than the short frames that it is said of. (Its original, hashicorp's, waits for the half as well.)
 *
 * For a stream that has been negotiated. Another multiplexer's, or another version's, is left as it is.
 */
export function batchWindowUpdates(stream: Stream): void {
  if (!(stream instanceof YamuxStream)) return
  const window = stream as unknown as Window
  const update = window.sendWindowUpdate.bind(stream)
  window.sendWindowUpdate = () => {
    const isPlenty = window.recvWindowCapacity > window.recvWindow / 2
    if (window.state !== StreamState.Established || !isPlenty) update()
  }
}

import type { MessageStream } from '@libp2p/interface'

/** One direction of pnet's cipher. */
interface Cipher {
  update(data: Uint8Array): Uint8Array
  finalize(): void
}

/** What pnet keeps of a connection. */
interface Boxed {
  inboundXor?: Cipher
  outboundXor?: Cipher
}

/** At once; with the places of all connections that a node may have it stays far below the memory's 640 KiB. */
const pieceBytes = 64 * 1024

/**
 * Keeps the memory of pnet's cipher from growing.
 *
 * All connections share one memory of WebAssembly: 64 bytes for each direction of
 * each, and room for what is encrypted just now. pnet never gives places back, and when the
 * memory grows once, for the five-thousandth connection or for a large message, each cipher but one
 * looks at a memory that is gone and makes it grow again, until nothing grows any more and the error ends the process.
 * So what is encrypted goes through in pieces, and a connection gives its places back when it closes.
 *
 * A protector of another kind is left as it is.
 */
export function boundCipherMemory(stream: MessageStream): void {
  const box = stream as unknown as Boxed
  const { inboundXor, outboundXor } = box
  if (!isCipher(inboundXor) || !isCipher(outboundXor)) return
  const [inbound, outbound] = [new Pieces(inboundXor), new Pieces(outboundXor)]
  Object.assign(box, { inboundXor: inbound, outboundXor: outbound })
  stream.addEventListener(
    'close',
    () => {
      inbound.finalize()
      outbound.finalize()
    },
    { once: true },
  )
}

class Pieces implements Cipher {
  /** Undefined when it is closed. */
  #cipher: Cipher | undefined

  constructor(cipher: Cipher) {
    this.#cipher = cipher
  }

  /** After the end what still comes is for nobody: nothing. */
  update(data: Uint8Array): Uint8Array {
    const cipher = this.#cipher
    if (cipher === undefined) return new Uint8Array(0)
    if (data.length <= pieceBytes) return cipher.update(data)
    const result = new Uint8Array(data.length)
    for (let at = 0; at < data.length; at += pieceBytes) {
      result.set(cipher.update(data.subarray(at, at + pieceBytes)), at)
    }
    return result
  }

  finalize(): void {
    this.#cipher?.finalize()
    this.#cipher = undefined
  }
}

function isCipher(value: unknown): value is Cipher {
  const cipher = value as Partial<Cipher> | undefined
  return typeof cipher?.update === 'function' && typeof cipher.finalize === 'function'
}

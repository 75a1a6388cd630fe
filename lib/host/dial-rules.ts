/**
 * Which addresses may be dialled: a record of somebody else must not make this peer
 * knock at its own machine's doors. Names are looked at by what they resolve to.
 */
import { type HostKind, hostKind, readAddress, withoutPeer } from './addresses.ts'

/** Addresses given by the user, or at which a handshake was completed. */
const maxTrusted = 4096

export class DialRules {
  /** The own record's: which kinds of host this peer itself is reached at. */
  readonly #ownAddresses: () => readonly string[]
  readonly #trusted = new Set<string>()

  constructor(ownAddresses: () => readonly string[]) {
    this.#ownAddresses = ownAddresses
  }

  /** These may name any kind of host. */
  trust(addresses: readonly string[]): void {
    for (const address of addresses) {
      const [oldest] = this.#trusted
      if (this.#trusted.size >= maxTrusted && oldest !== undefined) this.#trusted.delete(oldest)
      this.#trusted.add(withoutPeer(address))
    }
  }

  /** `host`: what the address `text` stands for. */
  mayDial(text: string, host: string): boolean {
    const kind = hostKind(host)
    if (kind === 'unspecified' || kind === 'multicast') return false
    return kind === 'global' || this.#trusted.has(withoutPeer(text)) || this.#ownKinds().has(kind)
  }

  #ownKinds(): ReadonlySet<HostKind> {
    return new Set(this.#ownAddresses().map((text) => hostKind(readAddress(text)?.host ?? '')))
  }
}

/** Smoothed round trip and its deviation to one peer (Jacobson 1988, RFC 6298 §2), ms. */
export class RoundTrip {
  #srtt: number | undefined
  #rttvar = 0

  get smoothedMs(): number | undefined {
    return this.#srtt
  }

  measured(rttMs: number): void {
    if (this.#srtt === undefined) {
      this.#srtt = rttMs
      this.#rttvar = rttMs / 2
      return
    }
    this.#rttvar = 0.75 * this.#rttvar + 0.25 * Math.abs(this.#srtt - rttMs)
    this.#srtt = 0.875 * this.#srtt + 0.125 * rttMs
  }

  /** srtt + 4·rttvar within the clamp; the maximum until measured. */
  timeoutMs(minMs: number, maxMs: number): number {
    if (this.#srtt === undefined) return maxMs
    return Math.min(maxMs, Math.max(minMs, this.#srtt + 4 * this.#rttvar))
  }
}

/** What one core says to another, encoded, with a hash for the trace. */
export interface Frame {
  readonly bytes: Uint8Array
  readonly hash: number
  /** In crowds: the message itself, and no bytes. */
  readonly message?: unknown
}

/** What one process knows of a topic's traffic: ends with it. */
export class Station {
  readonly topics = new Set<string>()
  /** Message id to when it is forgotten. */
  readonly seen = new Map<string, number>()
  /** Hashes of what was examined. */
  readonly examined = new Set<string>()
  /** `peer group` that this one takes for subscribed. */
  readonly sees = new Set<string>()
}

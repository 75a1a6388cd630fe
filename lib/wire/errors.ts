/**
 * The base of every error that p2pd throws on purpose.
 *
 * `code` is stable and crosses the wire, the control API and the CLI; `hint`
 * says what to do about it. Subclasses exist where a caller decides by class.
 */
export class P2pdError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.hint = options.hint
  }
}

/** Stable, upper case, `ERR_` first; docs/OPERATIONS.md lists what each asks of the reader. */
export type ErrorCode = `ERR_${string}`

/** Bytes from outside that do not decode, or break a limit. */
export class WireError extends P2pdError {}

/** Every failure of the control API as `{error: {code, message, hint}}` with a fitting status. */
import type { Logger } from 'pino'
import { type ErrorCode, P2pdError } from '../../lib/wire/errors.ts'
import type { ErrorAnswer, PeerChoice } from './schemas.ts'

/** A failure that names peers: candidates, or who would be cut off. */
export class ControlFailure extends P2pdError {
  readonly peers: readonly PeerChoice[] | undefined

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string; cause?: unknown; peers?: readonly PeerChoice[] } = {},
  ) {
    super(code, message, options)
    this.peers = options.peers
  }
}

const statusByCode: Readonly<Record<string, number>> = {
  ERR_BAD_REQUEST: 400,
  ERR_BAD_ADDRESS: 400,
  ERR_BAD_PEER_ID: 400,
  ERR_BAD_GROUP: 400,
  ERR_BAD_OPTION: 400,
  ERR_BAD_CURSOR: 400,
  ERR_ORDER_UNAVAILABLE: 400,
  ERR_UNAUTHORIZED: 401,
  ERR_DENIED: 403,
  ERR_FOREIGN_HOST: 403,
  ERR_FOREIGN_ORIGIN: 403,
  ERR_NO_ROUTE: 404,
  ERR_UNKNOWN_PEER: 404,
  ERR_METHOD_NOT_ALLOWED: 405,
  ERR_AMBIGUOUS_PEER: 409,
  ERR_WOULD_CUT_OFF: 409,
  ERR_GROUP_LEFT: 409,
  ERR_NOT_DEAD: 409,
  ERR_LEAVE_INCOMPLETE: 409,
  ERR_CURSOR_UNKNOWN: 410,
  ERR_BODY_TOO_LARGE: 413,
  ERR_TOO_LARGE: 413,
  ERR_MEDIA_TYPE: 415,
  ERR_JOIN_FAILED: 502,
  ERR_SELF: 400,
  ERR_TOO_MANY: 503,
  ERR_TOO_MANY_GROUPS: 503,
  ERR_WOULD_BLOCK: 503,
  ERR_STOPPED: 503,
  ERR_NO_ANSWER: 504,
  ERR_NOT_READY: 503,
  ERR_STOPPING: 503,
  ERR_TOO_MANY_STREAMS: 503,
  ERR_TIMEOUT: 504,
  ERR_DISK_FULL: 507,
}

/** 500 where neither an entry above nor a plugin gives one. */
export function statusOf(code: ErrorCode, ofPlugins: Readonly<Record<string, number>>): number {
  return statusByCode[code] ?? ofPlugins[code] ?? 500
}

export function toAnswer(error: P2pdError): ErrorAnswer {
  const peers = error instanceof ControlFailure ? error.peers : undefined
  return {
    error: {
      code: error.code,
      message: error.message,
      hint: error.hint ?? null,
      ...(peers === undefined ? {} : { peers: [...peers] }),
    },
  }
}

const bodyTooLarge = 'FST_ERR_CTP_BODY_TOO_LARGE'

/** Anything thrown, as one of ours; `undefined` when it is a fault of the daemon itself. */
export function explainFailure(error: unknown): P2pdError | undefined {
  if (error instanceof P2pdError) return error
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
  switch (code) {
    case bodyTooLarge:
      return new ControlFailure('ERR_BODY_TOO_LARGE', 'the request is too large')
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new ControlFailure('ERR_MEDIA_TYPE', 'send the body as application/json')
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'FST_ERR_BAD_URL':
      return new ControlFailure('ERR_BAD_REQUEST', 'the request is not valid JSON over HTTP')
    default:
      return undefined
  }
}

/** Tells the log what the client is not told. */
export function internalFailure(log: Logger, error: unknown): P2pdError {
  log.error({ err: error }, 'a control request failed')
  return new P2pdError('ERR_INTERNAL', 'the daemon failed to answer', { hint: 'its log says why' })
}

export function isBodyTooLarge(error: unknown): boolean {
  return typeof error === 'object' && error !== null && Reflect.get(error, 'code') === bodyTooLarge
}

/** What goes wrong between a client and its daemon, in words and codes. */
import { type ErrorCode, P2pdError } from '../../lib/wire/errors.ts'
import type { PeerChoice } from '../control/schemas.ts'

/** An error that the daemon answered with. */
export class ControlError extends P2pdError {
  /** With ERR_AMBIGUOUS_PEER the candidates, with ERR_WOULD_CUT_OFF who would lose contact. */
  readonly peers: readonly PeerChoice[]

  constructor(code: ErrorCode, message: string, hint: string | undefined, peers: readonly PeerChoice[]) {
    super(code, message, hint === undefined ? {} : { hint })
    this.peers = peers
  }
}

export function notRunning(dataDir: string, cause?: unknown): P2pdError {
  return new P2pdError('ERR_DAEMON_NOT_RUNNING', `no daemon is running on ${dataDir}`, {
    hint: "start one with 'p2pd', or choose another data directory with --data or P2PD_DATA",
    cause,
  })
}

export function timedOut(what: string, timeoutMs: number): P2pdError {
  return new P2pdError('ERR_TIMEOUT', `the daemon did not answer ${what} within ${timeoutMs} ms`, {
    hint: 'it may be stopped or overloaded: look at its log',
  })
}

export function badAnswer(message: string, cause?: unknown): P2pdError {
  return new P2pdError('ERR_CONTROL_API', message, {
    hint: "client and daemon may differ in version: compare 'p2pd --version' with 'p2pd status'",
    cause,
  })
}

/** A failed connection, by its system error. */
export function connectionError(error: unknown, dataDir: string): P2pdError {
  if (error instanceof P2pdError) return error
  switch (systemCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ECONNREFUSED':
    case 'ENOTSOCK':
      return notRunning(dataDir, error)
    case 'EACCES':
    case 'EPERM':
      return new P2pdError('ERR_DENIED', `the control socket of ${dataDir} may not be used by this user`, {
        hint: 'run this as the user that runs the daemon',
        cause: error,
      })
    default:
      return new P2pdError('ERR_CONNECTION_LOST', `the daemon on ${dataDir} hung up`, {
        hint: 'it may have ended: look at its log',
        cause: error,
      })
  }
}

/** The error that an answer of status `status` and this body carries. */
export function answeredError(status: number, body: string): P2pdError {
  const error = parseError(body)
  return error ?? badAnswer(`the daemon answered with status ${status}`)
}

function parseError(body: string): ControlError | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return undefined
  }
  const error = field(parsed, 'error')
  const code = field(error, 'code')
  const message = field(error, 'message')
  if (!isErrorCode(code) || typeof message !== 'string') return undefined
  const hint = field(error, 'hint')
  const peers = field(error, 'peers')
  return new ControlError(
    code,
    message,
    typeof hint === 'string' ? hint : undefined,
    Array.isArray(peers) ? peers.filter(isPeerChoice) : [],
  )
}

function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && /^ERR_[A-Z0-9_]+$/.test(value)
}

function isPeerChoice(value: unknown): value is PeerChoice {
  return typeof field(value, 'peerId') === 'string' && typeof field(value, 'name') === 'string'
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function systemCode(error: unknown): unknown {
  return field(error, 'code')
}

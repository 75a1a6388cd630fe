/** What the process's exit code says about an error; free of imports at run time. */
import type { ErrorCode } from '../lib/wire/errors.ts'

export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  timedOut: 4,
  noQuorum: 5,
  denied: 6,
  lockLost: 7,
  /** As a shell reports them. */
  notExecutable: 126,
  notFound: 127,
  /** 128 + SIGHUP and 128 + SIGINT, as a shell reports them. */
  hungUp: 129,
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const byCode: Readonly<Record<string, ExitCode>> = {
  ERR_CONFIG: exitCodes.usage,
  ERR_USAGE: exitCodes.usage,
  ERR_PLUGIN_NOT_FOUND: exitCodes.usage,
  ERR_BAD_PLUGIN: exitCodes.usage,
  ERR_NO_CONTACTS: exitCodes.usage,
  ERR_BAD_OPTION: exitCodes.usage,
  ERR_BAD_PEER_ID: exitCodes.usage,
  ERR_INVITE_FILE: exitCodes.usage,
  ERR_SELF: exitCodes.usage,
  ERR_CONFIRM: exitCodes.usage,
  ERR_BAD_ADDRESS: exitCodes.usage,
  ERR_BAD_REQUEST: exitCodes.usage,
  ERR_AMBIGUOUS_PEER: exitCodes.usage,
  ERR_UNKNOWN_PEER: exitCodes.usage,
  ERR_UNKNOWN_SCENARIO: exitCodes.usage,
  ERR_SCENARIO: exitCodes.usage,
  ERR_TRACE: exitCodes.usage,
  ERR_BAD_GROUP: exitCodes.usage,
  ERR_BAD_CURSOR: exitCodes.usage,
  ERR_ORDER_UNAVAILABLE: exitCodes.usage,
  ERR_LOCK_NAME: exitCodes.usage,
  ERR_LEASE: exitCodes.usage,
  ERR_DAEMON_NOT_RUNNING: exitCodes.unreachable,
  ERR_CONNECTION_LOST: exitCodes.unreachable,
  ERR_TIMEOUT: exitCodes.timedOut,
  ERR_NO_ANSWER: exitCodes.timedOut,
  ERR_WOULD_BLOCK: exitCodes.timedOut,
  ERR_LOCK_HELD: exitCodes.timedOut,
  ERR_NO_QUORUM: exitCodes.noQuorum,
  ERR_NO_ELECTORATE: exitCodes.noQuorum,
  ERR_DENIED: exitCodes.denied,
  ERR_UNAUTHORIZED: exitCodes.denied,
  ERR_LOCK_LOST: exitCodes.lockLost,
  ERR_LOCK_SESSION: exitCodes.lockLost,
  ERR_COMMAND_NOT_EXECUTABLE: exitCodes.notExecutable,
  ERR_COMMAND_NOT_FOUND: exitCodes.notFound,
}

export function exitCodeOf(code: ErrorCode): ExitCode {
  return byCode[code] ?? exitCodes.failed
}

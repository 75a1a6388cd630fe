/** `lock` and `try-lock`: a command, or the end of stdin, under a lock. */
import { constants } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { type HoldOptions, LockClient } from '../../daemon/client/lock-client.ts'
import { exitCodes } from '../../daemon/exit-code.ts'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { ProcessGroup } from '../../plugins/mutex/control/process-group.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { findCommand } from './find-command.ts'
import { exitCodeOfEnd, GatedCommand } from './gated-command.ts'
import { HeldLock } from './held-lock.ts'
import { Interrupts } from './interrupts.ts'

/** A command that was sent a signal has this long to end, ms; a second signal does not wait. */
const interruptGraceMs = 5000
/** Between SIGTERM and SIGKILL when the lock is lost, if there is that much time, ms. */
const lostGraceMs = 2000
/** After so long somebody at a terminal wonders, ms. */
const silenceMs = 3000

/** The exit code: that of the command, or 128 + the signal that ended us. */
export async function runLocked(
  context: Context,
  [name = '', ...words]: readonly string[],
  options: HoldOptions,
): Promise<number> {
  if (name === '') throw new P2pdError('ERR_LOCK_NAME', 'the name of a lock is empty')
  const file = words.length === 0 ? undefined : findCommand(words[0] ?? '', context.env)
  const interrupts = new Interrupts()
  let lock: HeldLock | undefined
  try {
    lock = await acquire(context, name, options, interrupts.first)
    // Hanging up gives it up.
    if (interrupts.first.aborted) return interrupts.exitCode
    return file === undefined
      ? await holdUntilStdinEnds(context, lock, interrupts)
      : await holdForCommand(context, lock, interrupts, { words, file })
  } catch (error) {
    if (interrupts.first.aborted && lock === undefined) return interrupts.exitCode
    throw error
  } finally {
    lock?.close()
    interrupts.dispose()
  }
}

async function acquire(
  { json, stderr, dataDir }: Context,
  name: string,
  options: HoldOptions,
  signal: AbortSignal,
): Promise<HeldLock> {
  const says = `p2pd: waiting for lock '${name}'; 'p2pd locks' shows who has it`
  const timer =
    stderr.isTTY && !json && !options.try ? setTimeout(() => printLine(stderr, says), silenceMs) : undefined
  try {
    return await HeldLock.acquire(LockClient.open(dataDir), name, options, signal)
  } finally {
    clearTimeout(timer)
  }
}

function tellHeld({ json, stdout, stderr }: Context, { held }: HeldLock, isCommand: boolean): void {
  const { lock, token, leaseMs } = held
  if (json) printJson(stdout, { lock, token, leaseMs })
  else if (!isCommand) printLine(stderr, `holding lock '${lock}' with token ${token} until stdin ends`)
}

async function holdUntilStdinEnds(context: Context, lock: HeldLock, interrupts: Interrupts): Promise<number> {
  await orEnding(lock, lock.begin(undefined))
  tellHeld(context, lock, false)
  const { stdin } = context
  const stdinEnded = new Promise<void>((resolve) => {
    for (const event of ['end', 'close', 'error']) stdin.once(event, () => resolve())
    stdin.resume()
  })
  await Promise.race([stdinEnded, aborted(lock.ending), aborted(interrupts.first)])
  lock.ending.throwIfAborted()
  await giveUp(lock, undefined)
  return interrupts.first.aborted ? interrupts.exitCode : exitCodes.ok
}

async function holdForCommand(
  context: Context,
  lock: HeldLock,
  interrupts: Interrupts,
  { words, file }: { readonly words: readonly string[]; readonly file: string },
): Promise<number> {
  const { lock: name, token } = lock.held
  const env = { ...context.env, P2PD_LOCK: name, P2PD_FENCING_TOKEN: String(token) }
  const command = await GatedCommand.start(words, file, env)
  const { group } = command
  const forgetStops = followStops(lock, group)
  try {
    await orEnding(lock, lock.begin(group.name))
    lock.ending.throwIfAborted()
    tellHeld(context, lock, true)
    if (!interrupts.first.aborted) command.open()
    await Promise.race([command.ended, aborted(lock.ending), aborted(interrupts.first)])
    if (interrupts.name !== undefined) await interrupt(command, lock, interrupts)
    lock.ending.throwIfAborted()
    await giveUp(lock, group)
    if (interrupts.first.aborted) return interrupts.exitCode
    return exitCodeOfEnd(await command.ended, constants.signals)
  } catch (error) {
    await group.end({ graceMs: lostGraceMs, hurry: lock.hurry })
    throw error
  } finally {
    forgetStops()
  }
}

/** Passes the signal on, and waits until the command has ended by it. */
async function interrupt(command: GatedCommand, lock: HeldLock, interrupts: Interrupts): Promise<void> {
  command.group.signal(interrupts.name ?? 'SIGTERM')
  const patience = new AbortController()
  await Promise.race([
    command.ended,
    delay(interruptGraceMs, undefined, { signal: patience.signal }).catch(() => {}),
    aborted(interrupts.second),
    aborted(lock.ending),
  ])
  patience.abort()
  if (!lock.ending.aborted) await command.group.end({ graceMs: 0 })
}

/**
 * The daemon ends what the command has left behind, then releases; should it be
 * gone, this process ends that. Errors: ERR_LOCK_LOST when the daemon says that it
 * was lost before: whatever has ended may have been ended for that.
 */
async function giveUp(lock: HeldLock, group: ProcessGroup | undefined): Promise<void> {
  if (await Promise.race([lock.release(), aborted(lock.ending).then(() => false)])) return
  await group?.end({ graceMs: lostGraceMs, hurry: lock.hurry })
  if (lock.isToldLost) throw lock.ending.reason
}

/**
 * Ctrl-Z stops the command along with this process, and whoever continues this
 * process continues it, unless the lock was lost meanwhile.
 */
function followStops(lock: HeldLock, group: ProcessGroup): () => void {
  const stop = (): void => {
    group.signal('SIGSTOP')
    process.kill(process.pid, 'SIGSTOP')
  }
  const goOn = (): void => {
    lock.look()
    if (!lock.hurry.aborted) group.signal('SIGCONT')
  }
  const resize = (): void => group.signal('SIGWINCH')
  process.on('SIGTSTP', stop).on('SIGCONT', goOn).on('SIGWINCH', resize)
  return () => void process.off('SIGTSTP', stop).off('SIGCONT', goOn).off('SIGWINCH', resize)
}

/** Of a lock that is lost meanwhile, that is the reason. */
async function orEnding<Result>({ ending }: HeldLock, promise: Promise<Result>): Promise<Result> {
  try {
    return await promise
  } catch (error) {
    throw ending.aborted ? ending.reason : error
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/**
 * The daemon: from flags to a peer that serves, and back to an empty process.
 *
 * What can fail without touching the disk fails first; then the data directory
 * is locked, the cluster's files are made, the control API listens, the peer
 * starts. Until it is ready a failure takes back everything that was made.
 */
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import type { Asked } from './cluster-plan.ts'
import { type DaemonConfig, type DaemonFlags, loadConfig } from './config.ts'
import { ControlPlane } from './control/control-plane.ts'
import { onCrash } from './crash.ts'
import { type DataDir, dataDirAt } from './data-dir.ts'
import { type ExitCode, exitCodes } from './exit-code.ts'
import { explainFileError } from './files.ts'
import { type Cluster, planFor, settleCluster } from './founding.ts'
import { readInvite } from './invite-source.ts'
import { lockDataDir } from './locked-dir.ts'
import { createLog, type LineSink } from './log.ts'
import { MembershipTally } from './membership-tally.ts'
import { namePattern } from './names.ts'
import type { Environment } from './paths.ts'
import { loadPlugins } from './plugins/load.ts'
import type { PluginSet } from './plugins/plugin-set.ts'
import { readyEvent, tellReady } from './ready.ts'
import { failureCode, RunningDaemon } from './running-daemon.ts'
import { PeerMemory, readPeer, type SavedPeer, writeCluster } from './saved-state.ts'
import { createServiceNotifier, type ServiceNotifier } from './service-notifier.ts'
import { Shutdown } from './shutdown.ts'
import { packageVersion } from './version.ts'

export interface DaemonIo {
  readonly env: Environment
  readonly stdin: AsyncIterable<unknown>
  readonly stdout: LineSink
  readonly stderr: LineSink & { readonly isTTY?: boolean }
  /** Ends the process, whatever else is open. */
  readonly exit: (code: number) => void
}

/**
 * Runs until a signal, `leave` or a failure; resolves with the exit code, with
 * which the caller ends the process: something that hangs may still be open.
 *
 * Throws when it cannot start (the data directory is then as it was) and when
 * the peer stops by itself (ERR_IDENTITY_IN_USE).
 */
export async function runDaemon(flags: DaemonFlags, io: DaemonIo): Promise<ExitCode> {
  // Whatever is created from here on is for this user alone.
  process.umask(0o077)
  const forgetCrashes = onCrash(io, flags.json ?? false)
  const shutdown = new Shutdown(io.exit)
  try {
    await startAndServe(flags, io, shutdown)
    return shutdown.exitCode
  } catch (error) {
    // A start that was told to stop has not failed.
    if (shutdown.signal.aborted && error === shutdown.signal.reason) return shutdown.exitCode
    shutdown.begin(failureCode(error))
    throw error
  } finally {
    shutdown.dispose()
    forgetCrashes()
  }
}

interface Start {
  readonly flags: DaemonFlags
  readonly io: DaemonIo
  readonly config: DaemonConfig
  readonly asked: Asked
  readonly dir: DataDir
  readonly saved: SavedPeer | undefined
  readonly plugins: PluginSet
  readonly log: Logger
  readonly shutdown: Shutdown
}

async function startAndServe(flags: DaemonFlags, io: DaemonIo, shutdown: Shutdown): Promise<void> {
  const config = await loadConfig(flags, io.env)
  const colour = io.stderr.isTTY === true && !io.env.NO_COLOR
  const log = createLog(io.stderr, { level: config.log, json: flags.json ?? false, colour })
  const source = flags.invite === undefined ? undefined : await readInvite(flags.invite, io.stdin)
  if (source?.warning !== undefined) log.warn(source.warning)
  const asked = { cluster: config.cluster, invite: source?.invite, join: config.join, mdns: config.mdns }
  const dir = dataDirAt(config.dataDir)
  await planFor(dir, asked)
  const saved = await readPeer(dir.peer)
  const plugins = await loadPlugins(config.plugins, { expect: config.expect ?? saved?.expect })

  const locked = await lockDataDir(dir)
  let daemon: RunningDaemon
  try {
    daemon = await start({ flags, io, config, asked, dir, saved, plugins, log, shutdown })
  } catch (error) {
    await locked.restore()
    throw explainFileError(error, dir.path)
  }
  try {
    await daemon.untilEnd()
  } finally {
    await locked.release()
  }
}

async function start(start: Start): Promise<RunningDaemon> {
  const { config, dir, io, log, plugins } = start
  const cluster = await settleCluster(dir, start.asked)
  const tally = new MembershipTally()
  const notifier = createServiceNotifier(io.env, log)
  const memory = new PeerMemory(dir.peer, start.saved)
  let leave = async (_options: { readonly force: boolean }) => {}
  const control = await ControlPlane.open({
    dir,
    env: io.env,
    config: config.control,
    secret: cluster.secret,
    version: packageVersion(),
    tally,
    log,
    plugins,
    leave: (options) => leave(options),
    departed: () => start.shutdown.begin(exitCodes.ok),
    tagMemory: { save: (tags) => memory.remember({ tags }), kept: config.tags === undefined },
  })
  try {
    const daemon = await startPeer(start, cluster, { control, tally, notifier, memory })
    leave = (options) => daemon.leave(options)
    return daemon
  } catch (error) {
    await control.close()
    throw error
  }
}

interface Parts {
  readonly control: ControlPlane
  readonly tally: MembershipTally
  readonly notifier: ServiceNotifier
  readonly memory: PeerMemory
}

async function startPeer(
  { flags, io, config, dir, saved, plugins, log, shutdown }: Start,
  cluster: Cluster,
  parts: Parts,
): Promise<RunningDaemon> {
  // Loaded only now: whatever fails before need not wait for it.
  const { createPeer } = await import('../lib/index.ts')
  const listen = config.listen ?? saved?.listen
  const peer = await createPeer({
    cluster: cluster.saved.cluster,
    secret: cluster.secret,
    dataDir: dir.path,
    name: config.name ?? saved?.name ?? hostName(),
    ...(listen === undefined ? {} : { listen }),
    announce: config.announce ?? saved?.announce ?? [],
    join: cluster.saved.contacts,
    tags: config.tags ?? saved?.tags ?? {},
    mdns: config.mdns,
    // Also where it looks for others: those come by its invite.
    ...(cluster.type === 'found' ? { first: true } : {}),
    profile: config.profile,
    membership: { fastPath: config.fastPath },
    plugins: Object.fromEntries(plugins.plugins.map((plugin) => [plugin.name, plugin])),
    version: packageVersion(),
    signal: shutdown.signal,
  })
  try {
    const daemon = new RunningDaemon({ peer, ...parts, log, shutdown })
    await daemon.becomeReady()
    // At once: each waits for the disk twice, while connections to all members are being made.
    await Promise.all([writeCluster(dir.cluster, cluster.saved), parts.memory.remember(config.said)])
    const event = readyEvent(peer, parts.control)
    tellReady(event, cluster.type, flags.data === undefined ? '' : ` --data ${flags.data}`, {
      ...io,
      log,
      json: flags.json ?? false,
    })
    void parts.notifier.ready(`member of ${event.cluster} as ${event.name}`)
    return daemon
  } catch (error) {
    await peer.stop()
    throw error
  }
}

/** The machine's name as a peer's name, which allows fewer characters. */
function hostName(): string {
  const name = hostname()
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 63)
  return namePattern.test(name) ? name : 'peer'
}

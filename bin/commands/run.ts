import type { DaemonFlags } from '../../daemon/config.ts'
import { loadDaemon } from '../../daemon/load.ts'
import type { Context } from '../context.ts'

/** `options` are the daemon's own flags. */
export async function run(context: Context, _args: readonly string[], options: DaemonFlags): Promise<number> {
  const { json, dataFlag, env, stdin, stdout, stderr } = context
  // The flag and not the resolved directory: a config file may name one too, and ranks between.
  const flags: DaemonFlags = { ...options, json, ...(dataFlag === undefined ? {} : { data: dataFlag }) }
  const { runDaemon } = await loadDaemon()
  return await runDaemon(flags, { env, stdin, stdout, stderr, exit: (code) => process.exit(code) })
}

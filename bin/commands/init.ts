import type { DaemonFlags } from '../../daemon/config.ts'
import { type InitAnswer, initDataDir } from '../../daemon/init.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { renderTable } from '../table.ts'

/** `options` are the flags of the daemon that may stand in its config file. */
export async function run(
  context: Context,
  _args: readonly string[],
  options: DaemonFlags,
): Promise<undefined> {
  const answer = await initDataDir({ ...options, data: context.dataDir }, context.env)
  if (context.json) return void printJson(context.stdout, answer)
  for (const line of renderInit(answer)) printLine(context.stdout, line)
  const start = context.dataFlag === undefined ? 'p2pd' : `p2pd --data ${context.dataFlag}`
  printLine(context.stderr, `Start it with '${start}', or '${start} --invite FILE' to join a cluster.`)
}

export function renderInit({ dataDir, peerId, config, created }: InitAnswer): string[] {
  return renderTable([
    ['data', dataDir],
    ['peer id', created.identity ? peerId : `${peerId} (was there before)`],
    ['config', created.config ? config : `${config} (was there before)`],
  ])
}

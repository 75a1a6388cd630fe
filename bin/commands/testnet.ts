import { allScenarios } from '../../testnet/cluster/scenario-files.ts'
import { runTestnet } from '../../testnet/cluster/testnet.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { renderTable } from '../table.ts'

interface Options {
  readonly peers?: number
  readonly scenario?: string
  readonly profile?: string
  readonly keep?: boolean
}

/** No scenario is called so: they ask which ones there are. */
const askingForAll: ReadonlySet<string | undefined> = new Set(['list', 'help'])

export async function run(context: Context, _args: readonly string[], options: Options): Promise<number> {
  if (askingForAll.has(options.scenario)) return await list(context)
  return await runTestnet({ ...options, json: context.json }, context)
}

async function list({ stdout, stderr, json }: Context): Promise<number> {
  const scenarios = (await allScenarios()).map(({ name, summary, peers, network }) => ({
    ...{ name, peers, network, summary },
  }))
  if (json) printJson(stdout, { scenarios })
  else {
    const rows = scenarios.map(({ name, peers, network, summary }) => [
      ...[name, String(peers), network ? 'root' : '-', summary],
    ])
    for (const line of renderTable([['NAME', 'PEERS', 'NEEDS', 'WHAT HAPPENS'], ...rows])) {
      printLine(stdout, line)
    }
    printLine(stderr, "Run one with 'p2pd testnet --scenario NAME'. Those with root need it, and Linux.")
  }
  return 0
}

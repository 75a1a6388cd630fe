import { runTestnet } from '../../testnet/cluster/testnet.ts'
import type { Context } from '../context.ts'

interface Options {
  readonly peers?: number
  readonly scenario?: string
  readonly profile?: string
  readonly keep?: boolean
}

export async function run(context: Context, _args: readonly string[], options: Options): Promise<number> {
  return await runTestnet({ ...options, json: context.json }, context)
}

import type { Context } from '../context.ts'
import { runLocked } from '../lock/run-locked.ts'

interface Options {
  readonly lease?: number
}

export async function run(context: Context, args: readonly string[], { lease }: Options): Promise<number> {
  return await runLocked(context, args, { leaseMs: lease, try: true })
}

import type { Context } from '../context.ts'
import { runLocked } from '../lock/run-locked.ts'

interface Options {
  readonly wait?: number
  readonly lease?: number
}

export async function run(
  context: Context,
  args: readonly string[],
  { wait, lease }: Options,
): Promise<number> {
  return await runLocked(context, args, { waitMs: wait, leaseMs: lease })
}

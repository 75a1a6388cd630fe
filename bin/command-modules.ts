/** The code of each verb, loaded when the verb runs and not before. */
import type { CommandModule } from './context.ts'

/** By what is typed. */
export const commandModules: Readonly<Record<string, () => Promise<CommandModule>>> = {
  p2pd: () => import('./commands/run.ts'),
  'p2pd init': () => import('./commands/init.ts'),
  'p2pd status': () => import('./commands/status.ts'),
  'p2pd members': () => import('./commands/members.ts'),
  'p2pd ping': () => import('./commands/ping.ts'),
  'p2pd invite': () => import('./commands/invite.ts'),
  'p2pd join': () => import('./commands/join.ts'),
  'p2pd leave': () => import('./commands/leave.ts'),
  'p2pd peers allow': () => import('./commands/peers-allow.ts'),
  'p2pd peers deny': () => import('./commands/peers-deny.ts'),
  'p2pd peers list': () => import('./commands/peers-list.ts'),
  'p2pd pub': () => import('./commands/pub.ts'),
  'p2pd sub': () => import('./commands/sub.ts'),
  'p2pd groups': () => import('./commands/groups.ts'),
  'p2pd groups leave': () => import('./commands/groups-leave.ts'),
  'p2pd clock': () => import('./commands/clock.ts'),
  'p2pd lock': () => import('./commands/lock.ts'),
  'p2pd try-lock': () => import('./commands/try-lock.ts'),
  'p2pd locks': () => import('./commands/locks.ts'),
  'p2pd voters': () => import('./commands/voters.ts'),
  'p2pd voters add': () => import('./commands/voters-add.ts'),
  'p2pd voters remove': () => import('./commands/voters-remove.ts'),
  'p2pd voters recover': () => import('./commands/voters-recover.ts'),
  'p2pd trace': () => import('./commands/trace.ts'),
  'p2pd testnet': () => import('./commands/testnet.ts'),
  'p2pd completion': () => import('./commands/completion.ts'),
}

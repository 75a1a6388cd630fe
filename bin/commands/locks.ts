import { ControlClient } from '../../daemon/client/client.ts'
import { LockClient } from '../../daemon/client/lock-client.ts'
import type { LockRow } from '../../plugins/mutex/control/schemas.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { formatLeft } from '../duration.ts'
import { PeerNames } from '../peer-names.ts'
import { type Style, styleFor } from '../style.ts'
import { type Cell, renderTable } from '../table.ts'

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const { json, dataDir, signal, stdout, stderr } = context
  const answer = await LockClient.open(dataDir).locks(args[0], { signal })
  if (json) return void printJson(stdout, answer)
  const names = PeerNames.of(ControlClient.open(dataDir), signal)
  const lines = await renderLocks(answer.locks, (peerId) => names.show(peerId), styleFor(stdout, context.env))
  for (const line of lines) printLine(stdout, line)
  if (!answer.complete) {
    printLine(
      stderr,
      "p2pd: no quorum of the voters has answered: there may be more; 'p2pd voters' shows who is missing",
    )
  }
}

const header = ['LOCK', 'HOLDER', 'TOKEN', 'ENDS IN', 'WAITING'] as const

export async function renderLocks(
  locks: readonly LockRow[],
  nameOf: (peerId: string) => Promise<string>,
  style: Style,
): Promise<string[]> {
  const rows = await Promise.all(
    locks.map(async ({ name, holder, token, expiresInMs, waiters }): Promise<Cell[]> => {
      const waiting = await Promise.all(waiters.map(nameOf))
      return [
        { text: name, paint: style.bold },
        holder === null ? { text: 'nobody', paint: style.dim } : await nameOf(holder),
        holder === null ? '-' : String(token),
        formatLeft(expiresInMs),
        waiting.length === 0 ? { text: 'nobody', paint: style.dim } : waiting.join(', '),
      ]
    }),
  )
  return renderTable([header.map((text) => ({ text, paint: style.dim })), ...rows])
}

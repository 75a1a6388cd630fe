import { ControlClient } from '../../daemon/client/client.ts'
import type { PeerEntry, PeersAnswer } from '../../daemon/control/schemas.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { type Style, styleFor } from '../style.ts'
import { type Cell, renderTable } from '../table.ts'

export async function run(context: Context): Promise<undefined> {
  printPeers(context, await ControlClient.open(context.dataDir).peers({ signal: context.signal }))
}

export function printPeers(context: Context, peers: PeersAnswer): void {
  if (context.json) return printJson(context.stdout, peers)
  for (const line of renderPeers(peers, styleFor(context.stdout, context.env)))
    printLine(context.stdout, line)
}

/** Whole ids: they are what a list is checked against. */
export function renderPeers({ mode, allowed, denied }: PeersAnswer, style: Style): string[] {
  const rule =
    mode === 'secret'
      ? 'Whoever has the cluster secret may come in.'
      : 'Only who is allowed here may come in.'
  const row = (verdict: Cell, { peerId, name, status }: PeerEntry): Cell[] => [
    verdict,
    name ?? '-',
    status ?? 'unknown',
    peerId,
  ]
  const rows = [
    ...allowed.map((entry) => row({ text: 'allowed', paint: style.green }, entry)),
    ...denied.map((entry) => row({ text: 'denied', paint: style.red }, entry)),
  ]
  if (rows.length === 0) return [rule]
  const header = ['VERDICT', 'NAME', 'STATUS', 'PEER ID'].map((text) => ({ text, paint: style.dim }))
  return [rule, ...renderTable([header, ...rows])]
}

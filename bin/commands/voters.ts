import { ControlClient } from '../../daemon/client/client.ts'
import { LockClient } from '../../daemon/client/lock-client.ts'
import type { VotersAnswer } from '../../plugins/mutex/control/schemas.ts'
import { type Context, printJson, printLine } from '../context.ts'
import { formatLeft } from '../duration.ts'
import { PeerNames } from '../peer-names.ts'
import { type Style, styleFor } from '../style.ts'
import { type Cell, renderTable } from '../table.ts'

export async function run(context: Context): Promise<undefined> {
  await printVoters(context, await LockClient.open(context.dataDir).voters({ signal: context.signal }))
}

export async function printVoters(context: Context, voters: VotersAnswer): Promise<void> {
  if (context.json) return printJson(context.stdout, voters)
  const names = PeerNames.of(ControlClient.open(context.dataDir), context.signal)
  const style = styleFor(context.stdout, context.env)
  for (const line of await renderVoters(voters, (peerId) => names.show(peerId), style)) {
    printLine(context.stdout, line)
  }
}

const selves: Readonly<Record<VotersAnswer['self'], string>> = {
  none: 'knows of no electorate',
  waiting: 'waits to become a voter',
  starting: 'a voter that starts: it asks the others first',
  installing: 'a new voter that takes over what the old ones granted',
  abstaining: 'a voter that votes for nobody yet',
  serving: 'votes',
  sealed: 'a voter that waits for the next version',
  void: 'does not vote until it is removed and added again',
  member: 'does not vote',
}

export async function renderVoters(
  voters: VotersAnswer,
  nameOf: (peerId: string) => Promise<string>,
  style: Style,
): Promise<string[]> {
  const { id, version, founder, conflict, change, conflictingVotes } = voters
  if (id === null) return [`no electorate: this peer ${selves[voters.self]}`]
  const facts: Cell[][] = [
    [
      'electorate',
      `${id}, version ${version}${founder === null ? '' : `, founded by ${await nameOf(founder)}`}`,
    ],
    [
      'quorum',
      voters.reachable
        ? { text: 'answers', paint: style.green }
        : { text: 'does not answer: nobody gets a lock', paint: style.red },
    ],
    ['this peer', standing(voters, style)],
  ]
  if (change !== null) {
    const next = await Promise.all(change.voters.map(nameOf))
    facts.push(['change', { text: `${change.phase}: ${next.join(', ')}`, paint: style.yellow }])
  }
  if (conflict !== null) {
    const other = `${conflict.id} of ${await nameOf(conflict.peerId)}`
    facts.push(['conflict', { text: `${other}: a lock can be held once in each`, paint: style.red }])
  }
  if (conflictingVotes.count > 0) {
    const who = [...new Set(await Promise.all(conflictingVotes.proofs.map(({ voter }) => nameOf(voter))))]
    const text = `${conflictingVotes.count} proofs that a voter signed contradictions: ${who.join(', ')}; see --json`
    facts.push(['warning', { text, paint: style.red }])
  }
  const rows = await Promise.all(
    voters.voters.map(
      async ({ peerId, answering }): Promise<Cell[]> => [
        await nameOf(peerId),
        answering ? { text: 'yes', paint: style.green } : { text: 'no', paint: style.red },
        peerId,
      ],
    ),
  )
  const header = ['VOTER', 'ANSWERS', 'PEER ID'].map((text) => ({ text, paint: style.dim }))
  return [...renderTable(facts), ...renderTable([header, ...rows])]
}

function standing({ self, abstainsForMs, void: why }: VotersAnswer, style: Style): Cell {
  if (why !== null) {
    const disk = why === 'lost' ? 'its disk was lost' : 'its disk was rolled back'
    return { text: `${selves[self]}: ${disk}`, paint: style.red }
  }
  return abstainsForMs > 0 ? `${selves[self]}, for ${formatLeft(abstainsForMs)}` : selves[self]
}

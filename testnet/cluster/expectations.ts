/** What a step waits for, as the first thing that is still missing, in words. */
import type { Cluster } from './cluster.ts'
import type { Member } from './member.ts'
import type { Row } from './recorder.ts'
import type { Deed } from './scenario.ts'

export type Expectation = Extract<Deed, { do: 'expect' }>

/** Every running peer shows every other running one alive, as that one is; and nobody else as there. */
export function oneView(cluster: Cluster): string | undefined {
  const running = cluster.running()
  const names = new Set(running.map(({ name }) => name))
  for (const observer of running) {
    for (const subject of running) {
      const missing = current(cluster, observer, subject)
      if (missing !== undefined) return missing
    }
    const ghost = cluster.recorder
      .rows(observer.name)
      .find((row) => isThere(row) && !names.has(cluster.recorder.nameOf(row.peerId)))
    if (ghost !== undefined) {
      return `${observer.name} shows ${cluster.recorder.nameOf(ghost.peerId)} ${ghost.status}`
    }
  }
  return undefined
}

/** Who has to show it: every other peer that runs, or those named. */
export function observersOf(cluster: Cluster, { peer, by }: Expectation): readonly Member[] {
  const subject = cluster.member(peer)
  const named = by?.map((name) => cluster.member(name))
  return (named ?? cluster.running()).filter((observer) => observer !== subject)
}

/** Those who have to show the peer as expected. */
export function shown(cluster: Cluster, expected: Expectation): string | undefined {
  const subject = cluster.member(expected.peer)
  for (const observer of observersOf(cluster, expected)) {
    const missing =
      expected.status === 'alive'
        ? current(cluster, observer, subject)
        : otherwise(cluster, observer, subject, expected)
    if (missing !== undefined) return missing
  }
  return undefined
}

function current(cluster: Cluster, observer: Member, subject: Member): string | undefined {
  const row = cluster.recorder.row(observer.name, subject.name)
  const own = cluster.recorder.row(subject.name, subject.name)
  if (row?.status !== 'alive') return `${observer.name} shows ${subject.name} ${row?.status ?? 'not at all'}`
  if (row.generation !== own?.generation || row.incarnation !== own.incarnation) {
    return (
      `${observer.name} shows ${subject.name} at generation ${row.generation}, incarnation ${row.incarnation}, ` +
      `itself ${own?.generation}, ${own?.incarnation}`
    )
  }
  const [shownAt, isAt] = [row, own].map(({ addresses }) => [...addresses].sort().join(' '))
  return shownAt === isAt
    ? undefined
    : `${observer.name} shows ${subject.name} at ${shownAt}, and it is at ${isAt}`
}

/** Suspect, dead or left; a detail or a reason only if one is asked for. */
function otherwise(
  cluster: Cluster,
  observer: Member,
  subject: Member,
  expected: Expectation,
): string | undefined {
  const row = cluster.recorder.row(observer.name, subject.name)
  const more = expected.detail === undefined ? row?.reason : row?.detail
  const fits = row?.status === expected.status
  if (fits && (qualified(expected) ?? more) === more) return undefined
  const is = row === undefined ? 'not at all' : labelOf(row.status, more ?? undefined)
  return `${observer.name} shows ${subject.name} ${is}, not ${describe(expected)}`
}

/** As a person would say it: `suspect (stalled)`. */
export function describe(expected: Expectation): string {
  return labelOf(expected.status, qualified(expected))
}

function qualified({ detail, reason }: Expectation): string | undefined {
  return detail ?? reason
}

function labelOf(status: string, more: string | undefined): string {
  return more === undefined ? status : `${status} (${more})`
}

function isThere({ status }: Row): boolean {
  return status === 'alive' || status === 'suspect'
}

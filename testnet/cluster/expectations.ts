/** What a step waits for, as the first thing that is still missing, in words. */
import type { Cluster, Member } from './cluster.ts'
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

/** Every other running peer shows the peer as expected. */
export function shown(cluster: Cluster, expected: Expectation): string | undefined {
  const subject = cluster.member(expected.peer)
  for (const observer of cluster.running()) {
    if (observer === subject) continue
    const missing =
      expected.status === 'alive' ? current(cluster, observer, subject) : gone(cluster, observer, expected)
    if (missing !== undefined) return missing
  }
  return undefined
}

function current(cluster: Cluster, observer: Member, subject: Member): string | undefined {
  const row = cluster.recorder.row(observer.name, subject.name)
  const own = cluster.recorder.row(subject.name, subject.name)
  if (row?.status !== 'alive') return `${observer.name} shows ${subject.name} ${row?.status ?? 'not at all'}`
  if (row.generation === own?.generation && row.incarnation === own.incarnation) return undefined
  return (
    `${observer.name} shows ${subject.name} at generation ${row.generation}, incarnation ${row.incarnation}, ` +
    `itself ${own?.generation}, ${own?.incarnation}`
  )
}

function gone(cluster: Cluster, observer: Member, expected: Expectation): string | undefined {
  const row = cluster.recorder.row(observer.name, expected.peer)
  const reason = row?.reason ?? undefined
  const fits = row?.status === expected.status
  if (fits && (expected.reason === undefined || expected.reason === reason)) return undefined
  const wanted = expected.reason === undefined ? expected.status : `${expected.status} (${expected.reason})`
  const is = row === undefined ? 'not at all' : `${row.status}${reason === undefined ? '' : ` (${reason})`}`
  return `${observer.name} shows ${expected.peer} ${is}, not ${wanted}`
}

function isThere({ status }: Row): boolean {
  return status === 'alive' || status === 'suspect'
}

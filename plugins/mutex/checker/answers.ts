/**
 * Each request is answered, once, and rightly: whoever enters is told that it has
 * the lock, and nobody else is; without a quorum nobody enters and everybody is
 * told soon; and while it is calm nobody is told that there is none.
 */
import type { MutexBounds, Violation } from './history.ts'
import { describeRequest, type Request } from './requests.ts'
import type { Period, Scene } from './scene.ts'

type Find = (at: number, message: string) => void

/** `endAt`: of the history. */
export function checkAnswers(
  requests: Iterable<Request>,
  scene: Scene,
  bounds: MutexBounds,
  endAt: number,
): readonly Violation[] {
  const violations: Violation[] = []
  const finder =
    (property: string): Find =>
    (at, message) =>
      violations.push({ property, at, message })
  for (const request of requests) {
    checkAnswer(request, bounds, endAt, finder('answers'))
    for (const outage of scene.outages(request.asked.peer)) {
      checkOutage(request, outage, bounds, endAt, finder('quorum'))
    }
    for (const calm of scene.calms ?? []) checkCalm(request, calm, bounds, endAt, finder('progress'))
  }
  return violations
}

function checkAnswer(request: Request, { quietAtEnd }: MutexBounds, endAt: number, find: Find): void {
  const { answered, stay, goneAt } = request
  const name = describeRequest(request)
  if (answered === undefined) {
    if (quietAtEnd && goneAt > endAt) find(endAt, `${name} is not answered`)
  } else if (stay !== undefined && answered.outcome !== 'entered') {
    find(answered.at, `${name} enters and is answered: ${answered.outcome}`)
  } else if (stay === undefined && answered.outcome === 'entered') {
    find(answered.at, `${name} is told that it has the lock, and has not entered`)
  }
}

/** Votes that it had before may let it enter yet; whoever asks later gets none. */
function checkOutage(
  request: Request,
  { from, to }: Period,
  { noQuorumMs }: MutexBounds,
  endAt: number,
  find: Find,
): void {
  const { asked, stay } = request
  const enteredAt = stay?.entered.at ?? Number.POSITIVE_INFINITY
  if (asked.at >= from && enteredAt < to) {
    find(enteredAt, `${describeRequest(request)} is asked and enters while no quorum can be reached`)
  }
  const dueAt = Math.max(asked.at, from) + noQuorumMs
  if (isOpen(request, dueAt) && dueAt < Math.min(to, endAt)) {
    find(dueAt, `${describeRequest(request)} is not told within ${noQuorumMs} ms that there is no quorum`)
  }
}

function checkCalm(
  request: Request,
  { from, to }: Period,
  { calmMs }: MutexBounds,
  endAt: number,
  find: Find,
): void {
  const { asked, answered } = request
  const dueAt = Math.max(asked.at, from) + calmMs
  if (isOpen(request, dueAt) && dueAt < Math.min(to, endAt)) {
    find(dueAt, `${describeRequest(request)} is not answered within ${calmMs} calm ms`)
  }
  const wrong = answered?.outcome === 'no-quorum' || answered?.outcome === 'failed'
  if (wrong && asked.at >= from && answered.at < to) {
    find(answered.at, `${describeRequest(request)} is answered in a calm: ${answered.outcome}`)
  }
}

/** Asked and neither answered nor abandoned by then. */
function isOpen({ asked, answered, goneAt }: Request, at: number): boolean {
  return asked.at <= at && (answered?.at ?? Number.POSITIVE_INFINITY) > at && goneAt > at
}

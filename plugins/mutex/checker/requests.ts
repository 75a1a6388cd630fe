/** Who asked for which lock, and what came of it. */
import type { MutexEvent, RequestEvent, Violation } from './history.ts'
import type { Scene } from './scene.ts'
import { describeStay, type Stay } from './stays.ts'

type Asked = Extract<RequestEvent, { type: 'asked' }>
type Answered = Extract<RequestEvent, { type: 'answered' }>

export interface Request {
  readonly asked: Asked
  /** When it was at a quorum at the latest; undefined where nobody knows. */
  queuedAt: number | undefined
  answered: Answered | undefined
  /** What it entered with. */
  stay: Stay | undefined
  /** When whoever asked was gone; Infinity if never. */
  readonly goneAt: number
}

export interface RequestLog {
  /** By number, in the order of asking. */
  readonly requests: ReadonlyMap<number, Request>
  readonly violations: readonly Violation[]
}

/** Who can have one request of a lock at a time. */
export function callerOf({ asked: { peer, life, caller } }: Request): string {
  return caller ?? `${peer}.${life}`
}

export function describeRequest({ asked: { request, lock, peer, life } }: Request): string {
  return `request ${request} of ${peer}.${life} for ${lock}`
}

/** `history` is in order; finds what contradicts itself. */
export function readRequests(
  history: readonly MutexEvent[],
  byLock: ReadonlyMap<string, readonly Stay[]>,
  scene: Scene,
): RequestLog {
  const requests = new Map<number, Request>()
  const violations: Violation[] = []
  const find = (property: string, at: number, message: string): void => {
    violations.push({ property, at, message })
  }
  for (const event of history) {
    if (event.type === 'asked') {
      const known = requests.get(event.request)
      if (known !== undefined) find('recording', event.at, `${describeRequest(known)} is asked again`)
      const goneAt = scene.goneAt(event.peer, event.life)
      const request = { asked: event, queuedAt: undefined, answered: undefined, stay: undefined, goneAt }
      requests.set(event.request, request)
    } else if (event.type === 'queued' || event.type === 'answered') {
      const request = requests.get(event.request)
      if (request === undefined) {
        find('recording', event.at, `request ${event.request} is ${event.type}, and nobody has asked`)
      } else if (event.type === 'queued') {
        request.queuedAt ??= event.at
      } else if (request.answered === undefined) {
        request.answered = event
      } else {
        const answers = `${request.answered.outcome}, then ${event.outcome}`
        find('answers', event.at, `${describeRequest(request)} is answered twice: ${answers}`)
      }
    }
  }
  for (const stay of [...byLock.values()].flat()) admit(stay, requests, find)
  return { requests, violations }
}

/** A stay belongs to one request. */
function admit(
  stay: Stay,
  requests: ReadonlyMap<number, Request>,
  find: (property: string, at: number, message: string) => void,
): void {
  const { at, lock, peer, life, request: number } = stay.entered
  if (number === undefined) {
    if (requests.size > 0) find('recording', at, `${describeStay(stay)} names no request`)
    return
  }
  const request = requests.get(number)
  if (request === undefined) return find('recording', at, `${describeStay(stay)} has not asked`)
  const { asked } = request
  if (asked.lock !== lock || asked.peer !== peer || asked.life !== life || asked.at > at) {
    find('recording', at, `${describeStay(stay)} enters with ${describeRequest(request)}`)
  } else if (request.stay !== undefined) {
    find('answers', at, `${describeStay(stay)} enters a second time with ${describeRequest(request)}`)
  } else {
    request.stay = stay
  }
}

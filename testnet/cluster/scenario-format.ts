/** Reads a scenario out of JSON; what is wrong is named by its place. */
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Bounds, Deed, Loss, Scenario, Step } from './scenario.ts'

export const peerLimits = { min: 3, max: 20 } as const

const maxSteps = 100
const maxMs = 600_000
const maxMessages = 1000
const defaultEveryMs = 20
/** What the daemons take: no lease is shorter, and none is longer. */
const leaseMs = { min: 500, max: 60_000 } as const
const losses = ['holder', 'stalled-holder', 'voter', 'quorum'] as const satisfies readonly Loss[]
const deedKinds = [
  'form',
  'kill',
  'stop',
  'leave',
  'start',
  'pause',
  'resume',
  'expect',
  'settle',
  'watch',
  'talk',
  'lock',
  'catch-up',
  'outsider',
] as const satisfies readonly Deed['do'][]

/** `source` is the scenario's name in errors. Throws ERR_SCENARIO. */
export function parseScenario(text: string, source: string): Scenario {
  try {
    return readScenario(parseJson(text), source)
  } catch (error) {
    if (!(error instanceof Misfit)) throw error
    throw new P2pdError('ERR_SCENARIO', `scenario ${source}: ${error.message}`, {
      hint: "the files in testnet/scenarios/ are examples, and '--peers' sets how many peers there are",
    })
  }
}

/** Every peer that the steps name must exist. Throws ERR_SCENARIO. */
export function assertPeers(scenario: Scenario, peers: number): void {
  for (const deed of scenario.steps.flatMap(deedsOf)) {
    if (!('peer' in deed) || deed.peer === 'it' || Number(deed.peer.slice(1)) <= peers) continue
    throw new P2pdError(
      'ERR_SCENARIO',
      `scenario ${scenario.name} needs ${deed.peer}, and there are ${peers}`,
      {
        hint: 'ask for more with --peers',
      },
    )
  }
}

function deedsOf(step: Step): readonly Deed[] {
  if (step.do === 'each') return step.steps.flatMap(deedsOf)
  return step.do === 'talk' ? [step, ...(step.during ?? [])] : [step]
}

class Misfit extends Error {
  constructor(place: string, problem: string) {
    super(`${place} ${problem}`)
  }
}

type Fields = Readonly<Record<string, unknown>>

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Misfit('it', `is not JSON (${error instanceof Error ? error.message : String(error)})`)
  }
}

function readScenario(value: unknown, name: string): Scenario {
  const fields = object(value, 'it', ['summary', 'peers', 'bounds', 'steps'])
  return {
    name,
    summary: text(fields.summary, 'summary', /^[^\p{Cc}]{1,200}$/u, 'a line of up to 200 characters'),
    peers: whole(fields.peers, 'peers', peerLimits.min, peerLimits.max),
    bounds: readBounds(fields.bounds),
    steps: list(fields.steps, 'steps').map((step, index) => readStep(step, `steps[${index}]`)),
  }
}

function readBounds(value: unknown): Bounds {
  const fields = object(value, 'bounds', ['detectionMs', 'convergenceMs', 'graceMs'])
  return {
    detectionMs: ms(fields.detectionMs, 'bounds.detectionMs'),
    convergenceMs: ms(fields.convergenceMs, 'bounds.convergenceMs'),
    graceMs: ms(fields.graceMs, 'bounds.graceMs'),
  }
}

function readStep(value: unknown, place: string): Step {
  if (object(value, place).do !== 'each') return readDeed(value, place, false)
  const fields = object(value, place, ['do', 'steps'])
  const steps = list(fields.steps, `${place}.steps`)
  return { do: 'each', steps: steps.map((step, index) => readDeed(step, `${place}.steps[${index}]`, true)) }
}

function readDeed(value: unknown, place: string, withinEach: boolean): Deed {
  const kind = choice(object(value, place).do, `${place}.do`, deedKinds)
  const fields = (...names: readonly string[]): Fields => object(value, place, ['do', ...names])
  const peerOf = ({ peer }: Fields): string => readPeer(peer, `${place}.peer`, withinEach)
  switch (kind) {
    case 'form':
    case 'settle':
      return { do: kind, withinMs: ms(fields('withinMs').withinMs, `${place}.withinMs`) }
    case 'kill':
    case 'stop':
    case 'leave':
    case 'start':
    case 'pause':
    case 'resume':
      return { do: kind, peer: peerOf(fields('peer')) }
    case 'expect': {
      const given = fields('peer', 'status', 'reason', 'withinMs')
      const status = choice(given.status, `${place}.status`, ['alive', 'dead', 'left'])
      const withinMs = ms(given.withinMs, `${place}.withinMs`)
      const expected = { do: kind, peer: peerOf(given), status, withinMs }
      if (given.reason === undefined) return expected
      return { ...expected, reason: choice(given.reason, `${place}.reason`, ['leaving', 'stopping']) }
    }
    case 'talk':
      return readTalk(fields(...talkFields), place, withinEach)
    case 'lock':
      return readLock(fields('lock', 'forMs', 'leaseMs', 'lose', 'withinMs'), place)
    case 'catch-up': {
      const given = fields('peer', 'withinMs')
      return { do: kind, peer: peerOf(given), withinMs: ms(given.withinMs, `${place}.withinMs`) }
    }
    case 'watch':
      return { do: kind, forMs: ms(fields('forMs').forMs, `${place}.forMs`) }
    case 'outsider':
      return {
        do: kind,
        name: text(fields('name').name, `${place}.name`, /^[a-z]{1,20}$/, 'up to 20 small letters'),
      }
    default:
      return kind satisfies never
  }
}

const talkFields = ['group', 'messages', 'everyMs', 'replies', 'withinMs', 'during'] as const

/** The steps beside it are those of any place, but for another talk. */
function readTalk(given: Fields, place: string, withinEach: boolean): Deed {
  const talk = {
    do: 'talk',
    group: name(given.group, `${place}.group`),
    messages: whole(given.messages, `${place}.messages`, 1, maxMessages),
    everyMs: given.everyMs === undefined ? defaultEveryMs : ms(given.everyMs, `${place}.everyMs`),
    replies: flag(given.replies, `${place}.replies`),
    withinMs: ms(given.withinMs, `${place}.withinMs`),
  } as const
  if (given.during === undefined) return talk
  const during = list(given.during, `${place}.during`).map((step, index): Deed => {
    const where = `${place}.during[${index}]`
    if (object(step, where).do === 'talk') throw new Misfit(where, 'is a talk within a talk')
    return readDeed(step, where, withinEach)
  })
  return { ...talk, during }
}

function readLock(given: Fields, place: string): Deed {
  const lose = given.lose === undefined ? [] : list(given.lose, `${place}.lose`)
  return {
    do: 'lock',
    lock: name(given.lock, `${place}.lock`),
    forMs: ms(given.forMs, `${place}.forMs`),
    leaseMs: whole(given.leaseMs, `${place}.leaseMs`, leaseMs.min, leaseMs.max),
    lose: lose.map((loss, index) => choice(loss, `${place}.lose[${index}]`, losses)),
    withinMs: ms(given.withinMs, `${place}.withinMs`),
  }
}

function readPeer(value: unknown, place: string, withinEach: boolean): string {
  if (value === 'it' && withinEach) return value
  return text(
    value,
    place,
    /^n[1-9][0-9]?$/,
    `n1, n2 …${withinEach ? ', or it' : " ('it' only within 'each')"}`,
  )
}

/** With `names`: no others. */
function object(value: unknown, place: string, names?: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Misfit(place, 'must be an object')
  }
  const stray = names && Object.keys(value).find((key) => !names.includes(key))
  if (stray !== undefined) {
    throw new Misfit(place, `has no '${stray}': it takes ${names?.join(', ')}`)
  }
  return value as Fields
}

/** Of a group or a lock. */
function name(value: unknown, place: string): string {
  return text(value, place, /^[!-~]{1,64}$/, '1 to 64 characters of ASCII without space')
}

function list(value: unknown, place: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0 && value.length <= maxSteps) return value
  throw new Misfit(place, `must be a list of 1 to ${maxSteps}`)
}

function text(value: unknown, place: string, pattern: RegExp, expected: string): string {
  if (typeof value === 'string' && pattern.test(value)) return value
  throw new Misfit(place, `must be ${expected}`)
}

function choice<Choice extends string>(value: unknown, place: string, choices: readonly Choice[]): Choice {
  const found = choices.find((candidate) => candidate === value)
  if (found !== undefined) return found
  throw new Misfit(place, `must be one of ${choices.join(', ')}`)
}

function flag(value: unknown, place: string): boolean {
  if (typeof value === 'boolean') return value
  throw new Misfit(place, 'must be true or false')
}

function ms(value: unknown, place: string): number {
  return whole(value, place, 1, maxMs)
}

function whole(value: unknown, place: string, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw new Misfit(place, `must be a whole number from ${min} to ${max}`)
}

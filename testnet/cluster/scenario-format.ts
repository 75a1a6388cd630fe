/** Reads a scenario out of JSON; what is wrong is named by its place. */
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Prohibition } from '../checkers/prohibitions.ts'
import {
  choice,
  type Fields,
  flag,
  list,
  Misfit,
  ms,
  name,
  object,
  ofProfile,
  parseJson,
  text,
  whole,
} from './format-fields.ts'
import type { Bounds, Deed, Loss, Peers, Scenario, Step } from './scenario.ts'
import { assertPossible } from './scenario-sense.ts'

export const peerLimits = { min: 3, max: 100 } as const

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
  'wipe',
  'readdress',
  'expect',
  'cut',
  'lose',
  'mend',
  'silence',
  'settle',
  'watch',
  'talk',
  'lock',
  'catch-up',
  'outsider',
] as const satisfies readonly Deed['do'][]

/**
 * `source` is the scenario's name in errors. Values that differ by profile are those
 * of `profile`. Throws ERR_SCENARIO.
 */
export function parseScenario(text: string, source: string, profile = 'local'): Scenario {
  try {
    const scenario = readScenario(ofProfile(parseJson(text), profile), source)
    assertPossible(scenario)
    return scenario
  } catch (error) {
    if (!(error instanceof Misfit)) throw error
    throw new P2pdError('ERR_SCENARIO', `scenario ${source}: ${error.message}`, {
      hint: "the files in testnet/scenarios/ are examples, and '--peers' sets how many peers there are",
    })
  }
}

const scenarioFields = ['summary', 'peers', 'network', 'family', 'bounds', 'never', 'steps'] as const

function readScenario(value: unknown, name: string): Scenario {
  const fields = object(value, 'it', scenarioFields)
  return {
    name,
    summary: text(fields.summary, 'summary', /^[^\p{Cc}]{1,200}$/u, 'a line of up to 200 characters'),
    peers: whole(fields.peers, 'peers', peerLimits.min, peerLimits.max),
    network: fields.network === undefined ? false : flag(fields.network, 'network'),
    family: fields.family === undefined ? 'ip4' : choice(fields.family, 'family', ['ip4', 'ip6']),
    bounds: readBounds(fields.bounds),
    never: fields.never === undefined ? [] : list(fields.never, 'never').map(readProhibition),
    steps: list(fields.steps, 'steps').map((step, index) => readStep(step, `steps[${index}]`)),
  }
}

function readBounds(value: unknown): Bounds {
  const names = ['detectionMs', 'convergenceMs', 'graceMs'] as const
  const fields = object(value, 'bounds', [...names, 'medianDetectionMs', 'stalls'])
  const bounds = {
    detectionMs: ms(fields.detectionMs, 'bounds.detectionMs'),
    convergenceMs: ms(fields.convergenceMs, 'bounds.convergenceMs'),
    graceMs: ms(fields.graceMs, 'bounds.graceMs'),
  }
  const median = fields.medianDetectionMs
  return {
    ...bounds,
    ...(median === undefined ? {} : { medianDetectionMs: ms(median, 'bounds.medianDetectionMs') }),
    ...(fields.stalls === undefined ? {} : { stalls: readStalls(fields.stalls) }),
  }
}

function readStalls(value: unknown): NonNullable<Bounds['stalls']> {
  const fields = object(value, 'bounds.stalls', ['shownMs', 'memberMs'])
  return {
    shownMs: ms(fields.shownMs, 'bounds.stalls.shownMs'),
    memberMs: ms(fields.memberMs, 'bounds.stalls.memberMs'),
  }
}

function readProhibition(value: unknown, index: number): Prohibition {
  const place = `never[${index}]`
  const fields = object(value, place, ['status', 'peer'])
  const status = choice(fields.status, `${place}.status`, ['suspect', 'dead', 'left'])
  if (fields.peer === undefined) return { status }
  return { status, peer: readPeer(fields.peer, `${place}.peer`, false) }
}

function readStep(value: unknown, place: string): Step {
  if (object(value, place).do !== 'each') return readDeed(value, place, false)
  const fields = object(value, place, ['do', 'but', 'steps'])
  const steps = list(fields.steps, `${place}.steps`)
  return {
    do: 'each',
    but: fields.but === undefined ? [] : readPeers(fields.but, `${place}.but`, false),
    steps: steps.map((step, index) => readDeed(step, `${place}.steps[${index}]`, true)),
  }
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
    case 'readdress':
    case 'silence':
      return { do: kind, peer: peerOf(fields('peer')) }
    case 'resume': {
      const given = fields('peer', 'afterMs')
      const resumed = { do: kind, peer: peerOf(given) }
      return given.afterMs === undefined
        ? resumed
        : { ...resumed, afterMs: ms(given.afterMs, `${place}.afterMs`) }
    }
    case 'wipe': {
      const given = fields('peer', 'keep')
      const wiped = { do: kind, peer: peerOf(given) }
      return given.keep === undefined
        ? wiped
        : { ...wiped, keep: choice(given.keep, `${place}.keep`, ['key']) }
    }
    case 'expect':
      return readExpect(fields('peer', 'status', 'detail', 'reason', 'by', 'withinMs'), place, withinEach)
    case 'cut':
      return readCut(fields('from', 'to', 'ways'), place, withinEach)
    case 'lose':
      return { do: kind, percent: whole(fields('percent').percent, `${place}.percent`, 1, 99) }
    case 'mend':
      fields()
      return { do: kind }
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

function readExpect(given: Fields, place: string, withinEach: boolean): Deed {
  const status = choice(given.status, `${place}.status`, ['alive', 'suspect', 'dead', 'left'])
  const only = (field: 'detail' | 'reason', fitting: string): boolean => {
    if (given[field] === undefined) return false
    if (status !== fitting) throw new Misfit(`${place}.${field}`, `goes with status ${fitting} alone`)
    return true
  }
  return {
    do: 'expect',
    peer: readPeer(given.peer, `${place}.peer`, withinEach),
    status,
    withinMs: ms(given.withinMs, `${place}.withinMs`),
    ...(only('detail', 'suspect') ? { detail: choice(given.detail, `${place}.detail`, ['stalled']) } : {}),
    ...(only('reason', 'left')
      ? { reason: choice(given.reason, `${place}.reason`, ['leaving', 'stopping']) }
      : {}),
    ...(given.by === undefined ? {} : { by: readPeers(given.by, `${place}.by`, withinEach) }),
  }
}

function readCut(given: Fields, place: string, withinEach: boolean): Deed {
  const from = readPeers(given.from, `${place}.from`, withinEach)
  const to: Peers = given.to === 'others' ? 'others' : readPeers(given.to, `${place}.to`, withinEach)
  const both = from.find((peer) => to !== 'others' && to.includes(peer))
  if (both !== undefined) throw new Misfit(place, `has ${both} on both sides`)
  return { do: 'cut', from, to, ways: choice(given.ways, `${place}.ways`, ['one', 'both']) }
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

function readPeers(value: unknown, place: string, withinEach: boolean): readonly string[] {
  return list(value, place).map((peer, index) => readPeer(peer, `${place}[${index}]`, withinEach))
}

function readPeer(value: unknown, place: string, withinEach: boolean): string {
  if (value === 'it' && withinEach) return value
  return text(
    value,
    place,
    /^n(?:[1-9][0-9]?|100)$/,
    `n1, n2 …${withinEach ? ', or it' : " ('it' only within 'each')"}`,
  )
}

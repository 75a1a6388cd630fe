/** What a well-formed scenario may still get wrong. */
import { P2pdError } from '../../lib/wire/errors.ts'
import { Misfit } from './format-fields.ts'
import type { Deed, Scenario, Step } from './scenario.ts'

interface Placed {
  readonly deed: Deed
  readonly place: string
}

/** Steps that need what the scenario lacks, or that cannot come where they stand. Throws a Misfit. */
export function assertPossible(scenario: Scenario): void {
  let broken = false
  for (const { deed, place } of scenario.steps.flatMap(placedDeeds)) {
    if (deed.do === 'cut' || deed.do === 'lose' || deed.do === 'mend' || deed.do === 'silence') {
      if (!scenario.network) throw new Misfit(place, `needs a network of its own: "network": true`)
    }
    if (deed.do === 'outsider' && scenario.network) {
      throw new Misfit(place, 'has no place in a network of its own')
    }
    if (deed.do === 'cut' || deed.do === 'lose') broken = true
    if (deed.do !== 'mend') continue
    if (!broken) throw new Misfit(place, 'has nothing to mend')
    broken = false
  }
}

function placedDeeds(step: Step, index: number): readonly Placed[] {
  const place = `steps[${index}]`
  if (step.do === 'each') return step.steps.map((deed, at) => ({ deed, place: `${place}.steps[${at}]` }))
  const during = step.do === 'talk' ? (step.during ?? []) : []
  return [{ deed: step, place }, ...during.map((deed, at) => ({ deed, place: `${place}.during[${at}]` }))]
}

/** Every peer that the scenario names must exist, and a cut have two sides. Throws ERR_SCENARIO. */
export function assertPeers(scenario: Scenario, peers: number): void {
  const deeds = scenario.steps.flatMap((step, index) => placedDeeds(step, index).map(({ deed }) => deed))
  const named = [
    ...deeds.flatMap(peersOf),
    ...scenario.steps.flatMap((step) => (step.do === 'each' ? step.but : [])),
    ...scenario.never.flatMap(({ peer }) => peer ?? []),
  ]
  const absent = named.find((peer) => peer !== 'it' && Number(peer.slice(1)) > peers)
  if (absent !== undefined) {
    throw new P2pdError('ERR_SCENARIO', `scenario ${scenario.name} needs ${absent}, and there are ${peers}`, {
      hint: 'ask for more with --peers',
    })
  }
  const oneSided = deeds.find((deed) => deed.do === 'cut' && new Set(deed.from).size >= peers)
  if (oneSided === undefined) return
  throw new P2pdError('ERR_SCENARIO', `scenario ${scenario.name} cuts all ${peers} peers off from nobody`, {
    hint: 'ask for more with --peers',
  })
}

function peersOf(deed: Deed): readonly string[] {
  if (deed.do === 'cut') return [...deed.from, ...(deed.to === 'others' ? [] : deed.to)]
  if (deed.do === 'expect') return [deed.peer, ...(deed.by ?? [])]
  return 'peer' in deed ? [deed.peer] : []
}

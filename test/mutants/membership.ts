/**
 * Plausible mistakes in membership. The simulator has to catch each: what no
 * test notices when it is wrong is not tested.
 */
import type { Instant } from '../../lib/protocols/core.ts'
import {
  decodeSelfState,
  durableKeys,
  encodeSelfState,
} from '../../lib/protocols/membership/durable-state.ts'
import type { MembershipCore, MembershipMutant } from '../../testnet/sim/membership/cluster.ts'

export const membershipMutants: readonly MembershipMutant[] = [
  {
    name: 'no-refutation',
    mistake: 'an accused member does not raise its incarnation',
    units: { refutation: (own) => own },
  },
  {
    name: 'no-suspicion',
    mistake: 'a failed probe is a death at once',
    units: { suspicionTimeoutMs: () => 0, silenceIsDeath: () => true },
  },
  {
    name: 'unsigned-accusations',
    mistake: 'accusations are believed whoever signed them',
    units: { accusationIsSigned: () => true },
  },
  {
    name: 'one-accuser',
    mistake: 'one accuser suffices however many members there are',
    units: { accusersNeeded: () => 1, refusersNeeded: () => 1 },
  },
  {
    name: 'refusals-outrank-bytes',
    mistake: 'refusals are believed against the own connection',
    units: { refusalStands: () => true },
  },
  {
    name: 'incarnation-not-persisted',
    mistake: 'the disk keeps the generation and forgets the incarnation',
    wrap: forgetIncarnation,
  },
  {
    name: 'wall-clock-ages',
    mistake: 'ages and time-outs follow the wall clock',
    wrap: trustWallClock,
  },
  {
    name: 'wall-clock-generation',
    mistake: 'a new life takes the wall clock for its generation, whatever the disk says',
    units: { nextGeneration: (_persisted, wall) => Math.floor(wall) },
  },
  {
    name: 'muted-accusers-ignored',
    mistake: 'who was refuted too often does not even confirm what others say',
    units: { witnessesCounted: ({ credible }) => credible },
  },
  {
    name: 'no-fresh-dial',
    mistake: 'who may be behind a cut connection is dialled over that connection',
    units: { healMode: () => 'connect' },
  },
  {
    name: 'tombstones-forgotten',
    mistake: 'hearsay brings back a life that was buried',
    units: { outlives: () => true },
  },
  {
    name: 'dismissals-of-the-living',
    mistake: 'a dismissal buries also who is not dead',
    units: { dismissalBuries: () => true, dismissalCounts: () => true },
  },
  {
    name: 'stalled-ignored',
    mistake: 'a connect that is taken and not answered is one that failed',
    units: { findingOf: (outcome) => (outcome.type === 'connected' ? 'answers' : 'silent') },
  },
  {
    name: 'no-evidence-dials',
    mistake: 'silence is a death, whatever own dials show',
    units: { silenceIsDeath: () => true },
  },
  {
    name: 'no-lag-hop',
    mistake: 'after a stall timers fire before what has come is read, and nobody asks how late they are',
    units: { lagOf: () => 'none' },
    host: { wakesFirst: true },
  },
  {
    name: 'merge-by-arrival',
    mistake: 'what is heard last counts, whatever it is of',
    units: { comparePrecedence: (a, b) => (a.generation === b.generation && a.status === b.status ? 0 : 1) },
  },
]

function forgetIncarnation(core: MembershipCore): MembershipCore {
  return {
    get deadline() {
      return core.deadline
    },
    step: (input, now) =>
      core.step(input, now).map((effect) => {
        if (effect.type !== 'persist' || effect.key !== durableKeys.self || effect.value === undefined)
          return effect
        return { ...effect, value: encodeSelfState({ ...decodeSelfState(effect.value), incarnation: 0 }) }
      }),
  }
}

/** Shows the core the wall clock in place of the monotonic one, and translates its deadline back. */
function trustWallClock(core: MembershipCore): MembershipCore {
  let last: Instant = { monotonic: 0, wall: 0 }
  return {
    get deadline() {
      const { deadline } = core
      return deadline === undefined ? undefined : last.monotonic + (deadline - last.wall)
    },
    step: (input, now) => {
      last = now
      return core.step(input, { monotonic: now.wall, wall: now.wall })
    },
  }
}

/**
 * Plausible mistakes in multicast. The simulator has to catch each: what no test
 * notices when it is wrong is not tested.
 */
import type { MulticastMutant } from '../../testnet/sim/multicast/group-cluster.ts'

export const multicastMutants: readonly MulticastMutant[] = [
  {
    name: 'no-dependency-check',
    mistake: 'a message is delivered before what it depends on',
    units: { mustFollow: () => [] },
  },
  {
    name: 'no-predecessor-check',
    mistake: "an author's messages are delivered in any order, whatever they say they follow",
    units: { comesNext: (delivered, _hash, first) => first > delivered },
  },
  {
    name: 'no-chain-check',
    mistake: "a message is delivered whose predecessor's hash is another's",
    units: { comesNext: (delivered, _hash, first) => first === delivered + 1 },
  },
  {
    name: 'predecessor-stays-maximal',
    mistake: 'a delivery leaves its predecessor in the frontier',
    units: { supersedes: (header) => header.dependencies },
  },
  {
    name: 'predecessor-not-merged',
    mistake: "a message's vector leaves out its predecessor's",
    units: { parents: (header) => header.dependencies },
  },
  {
    name: 'no-lamport-check',
    mistake: 'a Lamport time is believed',
    units: { lamportIsExact: () => true },
  },
  {
    name: 'empty-baseline-frontier',
    mistake: 'a joiner depends on nothing of what it stands on',
    units: { baselineFrontier: () => [] },
  },
  {
    name: 'supersedes-own-log-only',
    mistake: 'a delivery leaves its dependencies in the frontier',
    units: { supersedes: (_header, predecessor) => (predecessor === undefined ? [] : [predecessor]) },
  },
  {
    name: 'message-id-over-header',
    mistake: 'the id by which gossip drops what it has seen covers the header alone',
    messageId: 'header',
  },
]

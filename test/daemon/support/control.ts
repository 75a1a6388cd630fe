import { pino } from 'pino'
import { ControlPlane } from '../../../daemon/control/control-plane.ts'
import { dataDirAt, openDataDir } from '../../../daemon/data-dir.ts'
import { MembershipTally } from '../../../daemon/membership-tally.ts'
import { pluginSet } from '../../../daemon/plugins/plugin-set.ts'
import type { Tags } from '../../../lib/index.ts'
import type { Plugin } from '../../../plugins/contract.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { FakePeer } from './fake-peer.ts'

export interface TestControl {
  readonly plane: ControlPlane
  readonly peer: FakePeer
  readonly tally: MembershipTally
  readonly dataDir: string
  readonly place: { readonly socketPath: string }
  /** Tags that were saved, in order. */
  readonly saved: readonly Tags[]
  readonly leaves: { asked: number; departed: number }
}

export const testSecret = new Uint8Array(32).fill(7)

const noTcp = { tcp: undefined, tokenFile: '', hosts: [], origins: [] }

/** A control plane over a peer that is none; close `plane` afterwards. */
export async function openControl(
  options: {
    dataDir?: string
    env?: Record<string, string>
    tcp?: string
    origins?: string[]
    serve?: boolean
    plugins?: readonly Plugin[]
    /** What each plugin gives, by name. */
    apis?: Readonly<Record<string, unknown>>
    leave?: (options: { readonly force: boolean }) => Promise<void>
    tagsAreKept?: boolean
    saveTags?: (tags: Tags) => Promise<void>
  } = {},
): Promise<TestControl> {
  const dataDir = options.dataDir ?? (await tempDir())
  const dir = dataDirAt(dataDir)
  await openDataDir(dir)
  const peer = new FakePeer()
  peer.plugins = options.apis ?? {}
  const tally = new MembershipTally()
  const saved: Tags[] = []
  const leaves = { asked: 0, departed: 0 }
  const plane = await ControlPlane.open({
    dir,
    env: options.env ?? {},
    config: {
      ...noTcp,
      ...(options.tcp === undefined ? {} : { tcp: options.tcp, tokenFile: dir.controlToken }),
      origins: options.origins ?? [],
    },
    secret: testSecret,
    version: '9.9.9',
    tally,
    log: pino({ level: 'silent' }),
    plugins: pluginSet(options.plugins ?? []),
    tagMemory: {
      kept: options.tagsAreKept ?? true,
      save: async (tags) => {
        await options.saveTags?.(tags)
        saved.push(tags)
      },
    },
    leave: async (how) => {
      leaves.asked += 1
      await options.leave?.(how)
    },
    departed: () => {
      leaves.departed += 1
    },
  })
  if (options.serve !== false) plane.serve(peer)
  return { plane, peer, tally, dataDir, place: { socketPath: plane.socketPath }, saved, leaves }
}

/** The plugins that come with p2pd, by name: bundled with the daemon, and always on. */
import type { Plugin } from '../../plugins/contract.ts'

export interface BuiltInOptions {
  /** Found the electorate of the locks with so many. */
  readonly expect: number | undefined
}

type Maker = (options: BuiltInOptions) => Promise<Plugin>

export const builtIn: Readonly<Record<string, Maker>> = {
  async mutex({ expect }) {
    const { mutex } = await import('../../plugins/mutex/index.ts')
    return mutex(expect === undefined ? {} : { expect })
  },
}

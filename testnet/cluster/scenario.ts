/**
 * A scenario is data: how many peers, what is done to them step by step, and the
 * bounds within which they must notice. The built-in ones are the files of
 * `testnet/scenarios/`; any other file can be named by its path.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { MembershipBounds } from '../checkers/history.ts'
import { parseScenario } from './scenario-format.ts'

export interface Scenario {
  readonly name: string
  /** What happens, in one sentence. */
  readonly summary: string
  /** Unless another number is asked for. */
  readonly peers: number
  readonly bounds: Bounds
  readonly steps: readonly Step[]
}

export type Bounds = MembershipBounds

export type Step = Deed | { readonly do: 'each'; readonly steps: readonly Deed[] }

/** `peer` is `n1`, `n2` … or, within `each`, `it`: the peer whose turn it is. */
export type Deed =
  /** Start everybody, and wait until all have one view. */
  | { readonly do: 'form'; readonly withinMs: number }
  /** SIGKILL. */
  | { readonly do: 'kill'; readonly peer: string }
  /** SIGTERM: it stays a member. */
  | { readonly do: 'stop'; readonly peer: string }
  /** `p2pd leave`: it gives up its membership. */
  | { readonly do: 'leave'; readonly peer: string }
  /** Bring it back on its data directory, without flags. */
  | { readonly do: 'start'; readonly peer: string }
  /** SIGSTOP, SIGCONT. */
  | { readonly do: 'pause' | 'resume'; readonly peer: string }
  /** Wait until every other running peer shows it so; alive means in its newest generation. */
  | {
      readonly do: 'expect'
      readonly peer: string
      readonly status: 'alive' | 'dead' | 'left'
      readonly reason?: 'leaving' | 'stopping'
      readonly withinMs: number
    }
  /** Wait until all have one view. */
  | { readonly do: 'settle'; readonly withinMs: number }
  /** Let them be: the checkers see whether anything happens. */
  | { readonly do: 'watch'; readonly forMs: number }
  /** A daemon with another secret tries to join, and must be refused. */
  | { readonly do: 'outsider'; readonly name: string }

const folder = fileURLToPath(new URL('../../../testnet/scenarios/', import.meta.url))
const maxScenarioBytes = 64 * 1024

/** Names of the built-in scenarios. */
export async function scenarioNames(): Promise<readonly string[]> {
  const files = await readdir(folder)
  return files.flatMap((file) => (file.endsWith('.json') ? [basename(file, '.json')] : [])).sort()
}

/** `nameOrPath` is a path when it ends in `.json`. Throws ERR_UNKNOWN_SCENARIO or ERR_SCENARIO. */
export async function loadScenario(nameOrPath: string): Promise<Scenario> {
  if (nameOrPath.endsWith('.json'))
    return parseScenario(await readAny(nameOrPath), basename(nameOrPath, '.json'))
  const names = await scenarioNames()
  if (!names.includes(nameOrPath)) {
    throw new P2pdError('ERR_UNKNOWN_SCENARIO', `there is no scenario '${nameOrPath}'`, {
      hint: `choose one of ${names.join(', ')}, or the path of a .json file`,
    })
  }
  return parseScenario(await readFile(join(folder, `${nameOrPath}.json`), 'utf8'), nameOrPath)
}

async function readAny(path: string): Promise<string> {
  try {
    const { size } = await stat(path)
    if (size > maxScenarioBytes) throw new Error(`it is larger than ${maxScenarioBytes} bytes`)
    return await readFile(path, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new P2pdError('ERR_UNKNOWN_SCENARIO', `the scenario ${path} cannot be read: ${why}`, {
      hint: `the built-in ones are ${(await scenarioNames()).join(', ')}`,
    })
  }
}

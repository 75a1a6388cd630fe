/** Scenarios from their files. */
import { readdirSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { P2pdError } from '../../lib/wire/errors.ts'
import type { Scenario } from './scenario.ts'
import { parseScenario } from './scenario-format.ts'

const folder = fileURLToPath(new URL('../../../testnet/scenarios/', import.meta.url))
const maxScenarioBytes = 64 * 1024

/** Names of the built-in scenarios. */
export function scenarioNames(): readonly string[] {
  const files = readdirSync(folder)
  return files.flatMap((file) => (file.endsWith('.json') ? [basename(file, '.json')] : [])).sort()
}

/** The built-in ones. */
export async function allScenarios(): Promise<readonly Scenario[]> {
  return await Promise.all(scenarioNames().map((name) => loadScenario(name)))
}

/** `nameOrPath` is a path when it ends in `.json`. Throws ERR_UNKNOWN_SCENARIO or ERR_SCENARIO. */
export async function loadScenario(nameOrPath: string, profile = 'local'): Promise<Scenario> {
  if (nameOrPath.endsWith('.json'))
    return parseScenario(await readAny(nameOrPath), basename(nameOrPath, '.json'), profile)
  const names = scenarioNames()
  if (!names.includes(nameOrPath)) {
    throw new P2pdError('ERR_UNKNOWN_SCENARIO', `there is no scenario '${nameOrPath}'`, {
      hint: `choose one of ${names.join(', ')}, or the path of a .json file; '--scenario list' says what each does`,
    })
  }
  return parseScenario(await readFile(join(folder, `${nameOrPath}.json`), 'utf8'), nameOrPath, profile)
}

async function readAny(path: string): Promise<string> {
  try {
    const { size } = await stat(path)
    if (size > maxScenarioBytes) throw new Error(`it is larger than ${maxScenarioBytes} bytes`)
    return await readFile(path, 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new P2pdError('ERR_UNKNOWN_SCENARIO', `the scenario ${path} cannot be read: ${why}`, {
      hint: `the built-in ones are ${scenarioNames().join(', ')}`,
    })
  }
}

/** Looks a command up as a shell would, before anything is asked of the daemon. */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Environment } from '../../daemon/paths.ts'
import { P2pdError } from '../../lib/wire/errors.ts'

/** Where there is no PATH. */
const defaultPath = '/usr/local/bin:/usr/bin:/bin'

/** The file that `name` stands for. Errors: ERR_COMMAND_NOT_FOUND, ERR_COMMAND_NOT_EXECUTABLE. */
export function findCommand(name: string, env: Environment): string {
  const files = name.includes('/')
    ? [name]
    : (env.PATH ?? defaultPath).split(delimiter).map((folder) => join(folder === '' ? '.' : folder, name))
  let denied: string | undefined
  for (const file of name === '' ? [] : files) {
    const verdict = look(file)
    if (verdict === 'runs') return file
    if (verdict === 'denied') denied ??= file
  }
  if (denied === undefined) {
    throw new P2pdError('ERR_COMMAND_NOT_FOUND', `there is no command ${JSON.stringify(name)}`, {
      hint: 'the command follows --, as words: p2pd runs no shell unless it is told to (sh -c)',
    })
  }
  throw new P2pdError('ERR_COMMAND_NOT_EXECUTABLE', `${denied} may not be run`, {
    hint: "a file of mode 'x', and no folder",
  })
}

function look(file: string): 'runs' | 'denied' | 'missing' {
  try {
    if (!statSync(file).isFile()) return 'denied'
    accessSync(file, constants.X_OK)
    return 'runs'
  } catch (error) {
    return Reflect.get(error as object, 'code') === 'EACCES' ? 'denied' : 'missing'
  }
}

/** Colour where somebody sees it, and text that cannot steer a terminal. */
import type { Environment } from '../daemon/paths.ts'
import type { Output } from './context.ts'

export type Paint = (text: string) => string

export interface Style {
  readonly bold: Paint
  readonly dim: Paint
  readonly red: Paint
  readonly green: Paint
  readonly yellow: Paint
}

const same: Paint = (text) => text

export const plain: Style = { bold: same, dim: same, red: same, green: same, yellow: same }

const coloured: Style = {
  bold: (text) => `\x1b[1m${text}\x1b[22m`,
  dim: (text) => `\x1b[2m${text}\x1b[22m`,
  red: (text) => `\x1b[31m${text}\x1b[39m`,
  green: (text) => `\x1b[32m${text}\x1b[39m`,
  yellow: (text) => `\x1b[33m${text}\x1b[39m`,
}

/** https://no-color.org: set and not empty turns colour off, whatever its value. */
export function styleFor(output: Output, env: Environment): Style {
  return output.isTTY && !env.NO_COLOR && env.TERM !== 'dumb' ? coloured : plain
}

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Text of others on one line, with what would steer the terminal spelled out: `\n`, `\x1b`, `\u{202e}`. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    const hex = code.toString(16)
    return named[character] ?? (code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`)
  })
}

/** Names and addresses come from other machines: control characters become `?`. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')
}

/** What a row of the membership table says of a member, in words. */
import type { MemberRow, MemberStatusName } from '../daemon/control/schemas.ts'
import type { Paint, Style } from './style.ts'

/** With why somebody left, and what alive and suspect hide. */
export function statusText({ status, detail, reason = null }: StatusParts): string {
  if (detail !== null) return `${status} (${detail})`
  if (status !== 'left' || reason === null || reason === 'leaving') return status
  return reason === 'stopping' ? 'left (stopped)' : 'left (dismissed)'
}

type StatusParts = Pick<MemberRow, 'status' | 'detail'> & { readonly reason?: MemberRow['reason'] }

export function statusPaint(status: MemberStatusName, style: Style): Paint {
  switch (status) {
    case 'alive':
      return style.green
    case 'suspect':
      return style.yellow
    case 'dead':
      return style.red
    case 'left':
      return style.dim
  }
}

/** Names that several of those rows bear who are not gone. */
export function namesInConflict(rows: readonly Pick<MemberRow, 'name' | 'status'>[]): ReadonlySet<string> {
  const seen = new Set<string>()
  const twice = new Set<string>()
  for (const { name, status } of rows) {
    if (status === 'dead' || status === 'left') continue
    if (seen.has(name)) twice.add(name)
    seen.add(name)
  }
  return twice
}

/** As many as a line of a table has room for. */
const shownAccusers = 3

/** Who says so, by name. */
export function accusersText(accusers: readonly string[], nameOf: (peerId: string) => string): string {
  const shown = accusers.slice(0, shownAccusers).map(nameOf).join(', ')
  return accusers.length > shownAccusers ? `${shown} +${accusers.length - shownAccusers}` : shown
}

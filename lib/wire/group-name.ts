import { maxGroupNameLength } from './limits.ts'

/** Printable ASCII without space: it can neither repaint nor reorder a line, and needs no quotes in a shell's list. */
const visible = /^[!-~]+$/

/** Whether `value` can name a group: 1 to 64 characters of printable ASCII without space. */
export function isGroupName(value: string): boolean {
  return value.length <= maxGroupNameLength && visible.test(value)
}

/** What is wrong with a group, told in one way wherever it is asked for. */
import { multicastLimits } from './protocols/multicast/limits.ts'
import { P2pdError } from './wire/errors.ts'
import { isGroupName } from './wire/group-name.ts'
import { maxGroupNameLength } from './wire/limits.ts'

export function assertGroupName(name: string): void {
  if (isGroupName(name)) return
  throw new P2pdError('ERR_BAD_GROUP', `${quoted(name)} is no name of a group`, {
    hint: `1 to ${maxGroupNameLength} printable ASCII characters, and no space among them`,
  })
}

/** Throws it, or that no group can have this name. */
export function throwNotIn(name: string): never {
  assertGroupName(name)
  throw new P2pdError('ERR_BAD_GROUP', `this peer is not in group ${quoted(name)}`, {
    hint: "'p2pd groups' lists those that it is in; the first pub or sub joins one",
  })
}

export function everybodyIsIn(name: string): P2pdError {
  return new P2pdError('ERR_BAD_GROUP', `everybody is in group ${quoted(name)}`, {
    hint: "'p2pd leave' leaves the cluster",
  })
}

export function tooManyGroups(): P2pdError {
  return new P2pdError('ERR_TOO_MANY_GROUPS', `this peer is in ${multicastLimits.groups} groups already`, {
    hint: "leave one first: 'p2pd groups leave GROUP'",
  })
}

export function groupLeft(name: string, hint = 'join it again with group()'): P2pdError {
  return new P2pdError('ERR_GROUP_LEFT', `this peer has left group ${quoted(name)}`, { hint })
}

/** Whatever was given as a name, as far as one could go. */
function quoted(name: string): string {
  return `'${name.length > maxGroupNameLength ? `${name.slice(0, maxGroupNameLength)}…` : name}'`
}

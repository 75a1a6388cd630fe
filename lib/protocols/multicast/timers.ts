export const timerTypes = [
  'repair',
  'inquiries',
  'joining',
  'anti-entropy',
  'compare',
  'retention',
  'hold-back',
] as const

/** What a group has still to do. The agenda keys them by group and type: one of each. */
export interface Timer {
  readonly type: (typeof timerTypes)[number]
  readonly group: string
}

/** What a group has still to do. The agenda keys them by group and type: one of each. */
export interface Timer {
  readonly type: 'repair' | 'joining' | 'anti-entropy' | 'retention' | 'hold-back' | 'compare'
  readonly group: string
}

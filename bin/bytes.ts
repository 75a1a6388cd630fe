const units = ['KiB', 'MiB', 'GiB'] as const

/** With three figures: `12 B`, `1.50 KiB`, `27.5 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  let amount = bytes / 1024
  let unit = 0
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024
    unit += 1
  }
  const digits = amount < 10 ? 2 : amount < 100 ? 1 : 0
  return `${amount.toFixed(digits)} ${units[unit]}`
}

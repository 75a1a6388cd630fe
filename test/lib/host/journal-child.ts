import { openStore } from '../../../lib/host/store.ts'

// Writes to a journal until it is killed, and tells each write that has resolved.
const store = await openStore(process.argv[2] ?? '')
const journal = store.journal('log')
process.on('disconnect', () => process.exit())
for (let i = 0; ; i += 1) {
  const value = new Uint8Array(i % 10 === 9 ? 300_000 : 300).fill(i)
  await journal.write(
    new Map([
      [`at ${i}`, value],
      [`at ${i - 1}`, undefined],
      ['last', new TextEncoder().encode(String(i))],
    ]),
  )
  process.send?.(i)
}

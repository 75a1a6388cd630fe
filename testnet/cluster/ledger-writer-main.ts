/**
 * The command that runs under `p2pd lock`: it writes to the ledger for so many ms,
 * or until it is ended, and says when it was inside.
 *
 *   node ledger-writer-main.js SOCKET REQUEST FOR_MS|forever
 */
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import type { WriterLine } from './ledger.ts'
import { machineMs } from './monotonic.ts'

/** Between two lines, ms. */
const paceMs = 10
/** The exit code when a line was refused: its token was old. */
const refusedCode = 9

const [socketPath = '', request = '', forMs = ''] = process.argv.slice(2)
const token = Number(process.env.P2PD_FENCING_TOKEN)
const enteredAt = machineMs()
const endsAt = enteredAt + (forMs === 'forever' ? Number.POSITIVE_INFINITY : Number(forMs))

const socket = connect(socketPath)
const answers = createInterface({ input: socket })
// Whoever reads it is gone, and with it the test.
answers.on('error', () => process.exit(1))
socket.on('error', () => process.exit(1)).on('close', () => process.exit())

function say(line: WriterLine): void {
  socket.write(`${JSON.stringify(line)}\n`)
}

function write(): void {
  say({ type: 'write', at: machineMs() })
}

answers.on('line', (line) => {
  const { taken }: { readonly taken: boolean } = JSON.parse(line)
  if (!taken) process.exitCode = refusedCode
  if (taken && machineMs() < endsAt) return void setTimeout(write, paceMs)
  say({ type: 'left', at: machineMs() })
  socket.end()
})

say({ type: 'entered', at: enteredAt, request: Number(request), token })
write()

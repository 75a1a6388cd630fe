// Follows the membership of a running daemon through its control API, with nothing but Node.
//   p2pd &
//   node examples/follow.mjs ~/.local/share/p2pd/control.sock
import { request } from 'node:http'

const [socketPath, stopAfter = 'Infinity'] = process.argv.slice(2)
if (socketPath === undefined) {
  console.error('usage: node follow.mjs CONTROL_SOCKET [EVENTS]')
  process.exit(2)
}

let left = Number(stopAfter)
const stream = request({ socketPath, path: '/v1/members/events', headers: { host: 'localhost' } })
stream.on('response', (response) => {
  let text = ''
  response.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
    const messages = text.split('\n\n')
    text = messages.pop()
    for (const message of messages) show(message)
  })
  response.on('end', () => console.log('the daemon has ended'))
})
stream.on('error', ({ message }) => {
  console.error(message)
  process.exitCode = 3
})
stream.end()

function show(message) {
  const fields = Object.fromEntries(
    message
      .split('\n')
      .filter((line) => !line.startsWith(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  )
  if (fields.data === undefined) return
  const rows = fields.event === 'snapshot' ? JSON.parse(fields.data).members : [JSON.parse(fields.data)]
  for (const { name, status, peerId } of rows) console.log(status.padEnd(8), name.padEnd(16), peerId)
  left -= 1
  if (left <= 0) stream.destroy()
}

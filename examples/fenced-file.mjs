// A resource that refuses old tokens. A lock with a lease cannot be safe on its own: its holder may be stopped
// for longer than the lease, wake up, and write although somebody else has the lock by then. So the resource
// itself remembers the highest token that it was shown, and refuses whoever comes with a lower one.
//
// Here it is a file that lines are appended to, and one process that owns it:
//   node examples/fenced-file.mjs serve ledger.txt ledger.sock
// Whoever holds the lock shows the token that p2pd gives to the command:
//   p2pd lock ledger -- node examples/fenced-file.mjs append ledger.sock 'one more line'
import { closeSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'

const maxLineBytes = 4096

/** A file of lines, each behind the token that it was written with: `TOKEN<tab>LINE`. */
export class FencedFile {
  /** None lower is taken. It is as durable as the lines, since it is part of them. */
  highest = 0
  #file

  /** The file has one owner at a time: two would each know of one half of the tokens. */
  constructor(path) {
    this.#file = openSync(path, 'a+')
    const lines = readFileSync(path, 'utf8').split('\n')
    // A crash may have left half of a line behind, which nobody was told to be written.
    const half = lines.pop()
    if (half !== '') {
      ftruncateSync(this.#file, Buffer.byteLength(lines.map((line) => `${line}\n`).join('')))
      fsyncSync(this.#file)
    }
    for (const line of lines) this.highest = Math.max(this.highest, Number(line.slice(0, line.indexOf('\t'))))
  }

  /** True when the line is on disk, false when the token is too old. Look and write are one step: no await between. */
  append(token, line) {
    if (!Number.isSafeInteger(token) || token < 1) throw new TypeError(`${token} is no token`)
    if (/[\n\r]/.test(line)) throw new TypeError('one line at a time')
    if (token < this.highest) return false
    this.highest = token
    writeSync(this.#file, `${token}\t${line}\n`)
    fsyncSync(this.#file)
    return true
  }

  close() {
    closeSync(this.#file)
  }
}

/**
 * `POST /lines` with the token in a header: 201 when it was written, 409 when the token is too old. Listens
 * before it touches the file: who comes second fails here.
 */
export function serve(path, socketPath) {
  let file
  const server = createServer(async (incoming, response) => {
    const answer = (status, body) => response.writeHead(status).end(JSON.stringify(body))
    const bytes = Number(incoming.headers['content-length'] ?? Number.POSITIVE_INFINITY)
    if (bytes > maxLineBytes) return answer(413, { error: `a line has up to ${maxLineBytes} bytes` })
    try {
      const taken = file.append(Number(incoming.headers['fencing-token']), await text(incoming))
      answer(taken ? 201 : 409, { taken, highest: file.highest })
    } catch (error) {
      answer(error instanceof TypeError ? 400 : 500, { error: error.message })
    }
  })
  server.on('listening', () => {
    file = new FencedFile(path)
  })
  server.on('close', () => file?.close())
  return server.listen(socketPath)
}

/** What the command does that runs under the lock. */
export function append(socketPath, token, line) {
  return new Promise((resolve, reject) => {
    const headers = { 'fencing-token': String(token), 'content-length': Buffer.byteLength(line) }
    request({ socketPath, method: 'POST', path: '/lines', headers, agent: false }, async (response) => {
      const answer = JSON.parse(await text(response))
      if (answer.error === undefined) resolve(answer)
      else reject(new Error(answer.error))
    })
      .on('error', reject)
      .end(line)
  })
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await main(process.argv.slice(2))

async function main([what, path, rest]) {
  if (what === 'serve' && rest !== undefined) {
    const server = serve(path, rest)
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close())
    server.on('listening', () => console.log(`appends to ${path} what comes through ${rest}`))
  } else if (what === 'append' && rest !== undefined) {
    const token = Number(process.env.P2PD_FENCING_TOKEN)
    const { taken, highest } = await append(path, token, rest)
    console.log(taken ? `written with token ${token}` : `refused: token ${token} is below ${highest}`)
    process.exitCode = taken ? 0 : 1
  } else {
    console.error('usage: fenced-file.mjs serve FILE SOCKET | append SOCKET LINE')
    process.exitCode = 2
  }
}

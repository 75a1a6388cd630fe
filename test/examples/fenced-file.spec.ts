import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../../examples/fenced-file.mjs', import.meta.url))

describe('the example of a resource that refuses old tokens', () => {
  let folder: string
  let file: string
  let socket: string
  let server: ChildProcess

  async function serve(): Promise<void> {
    server = spawn(process.execPath, [program, 'serve', file, socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    assert.ok(server.stdout)
    await once(createInterface({ input: server.stdout }), 'line')
  }

  async function end(): Promise<void> {
    server.kill('SIGTERM')
    await once(server, 'exit')
  }

  /** What the command says, and its exit code. */
  function append(token: string, line: string): Promise<readonly [said: string, code: number]> {
    const env = { P2PD_FENCING_TOKEN: token }
    return new Promise((resolve) => {
      execFile(process.execPath, [program, 'append', socket, line], { env }, (error, stdout) => {
        resolve([stdout.trim(), typeof error?.code === 'number' ? error.code : 0])
      })
    })
  }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'p2pd-fenced-'))
    file = join(folder, 'ledger.txt')
    socket = join(folder, 'ledger.sock')
    await serve()
  })

  afterEach(async () => {
    if (server.exitCode === null) await end()
    rmSync(folder, { recursive: true })
  })

  it('takes tokens that do not fall, and refuses those that do', async () => {
    assert.deepEqual(await append('4', 'one'), ['written with token 4', 0])
    assert.deepEqual(await append('4', 'two'), ['written with token 4', 0])
    assert.deepEqual(await append('9', 'three'), ['written with token 9', 0])
    assert.deepEqual(await append('8', 'too late'), ['refused: token 8 is below 9', 1])
    assert.equal(readFileSync(file, 'utf8'), '4\tone\n4\ttwo\n9\tthree\n')
  })

  it('knows them also after a restart, and forgets a line that was not written whole', async () => {
    await append('7', 'whole')
    await end()
    writeFileSync(file, '9\tha', { flag: 'a' })
    await serve()
    assert.deepEqual(await append('6', 'too late'), ['refused: token 6 is below 7', 1])
    assert.deepEqual(await append('7', 'next'), ['written with token 7', 0])
    assert.equal(readFileSync(file, 'utf8'), '7\twhole\n7\tnext\n')
  })

  it('takes nothing without a token, and no two lines at once', async () => {
    assert.deepEqual(await append('', 'one'), ['', 1])
    assert.deepEqual(await append('2', 'one\n2\ttwo'), ['', 1])
    assert.equal(readFileSync(file, 'utf8'), '')
  })
})

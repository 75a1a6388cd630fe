import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControlClient } from '../../../daemon/client/client.ts'
import { Recorder } from '../../../testnet/cluster/recorder.ts'
import { eventually } from '../../support/eventually.ts'

/** The event stream of a daemon, as the test wants it. */
class Stream {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'p2pd-recorder-'))
  readonly #server: Server
  readonly #open = new Set<ServerResponse>()
  /** Sent to whoever connects. */
  snapshot: readonly object[] = []

  private constructor() {
    this.#server = createServer((_, response) => {
      this.#open.add(response)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      this.send('snapshot', { members: this.snapshot }, response)
    })
  }

  static async open(): Promise<Stream> {
    const stream = new Stream()
    stream.#server.listen(join(stream.dataDir, 'control.sock'))
    await once(stream.#server, 'listening')
    return stream
  }

  send(event: string, data: object, to?: ServerResponse): void {
    for (const response of to ? [to] : this.#open) {
      response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    }
  }

  hangUp(): void {
    for (const response of this.#open) response.destroy()
    this.#open.clear()
  }

  async close(): Promise<void> {
    this.hangUp()
    this.#server.close()
    await once(this.#server, 'close')
    rmSync(this.dataDir, { recursive: true })
  }
}

function row(peerId: string, status: string, generation: number, incarnation: number): object {
  return { peerId, status, generation, incarnation, rttMs: 1, reason: null }
}

describe('the recorder', () => {
  let stream: Stream
  let recorder: Recorder

  beforeEach(async () => {
    stream = await Stream.open()
    recorder = new Recorder()
  })

  afterEach(async () => {
    recorder.close()
    await stream.close()
  })

  function views(): unknown[] {
    return recorder
      .history()
      .flatMap((event) =>
        event.type === 'view'
          ? [[event.observer, event.subject, event.status, event.generation, event.incarnation]]
          : [],
      )
  }

  it('writes down the snapshot and each change, once, under the names of the peers', async () => {
    stream.snapshot = [row('idA', 'alive', 1, 0), row('idB', 'alive', 1, 0)]
    await recorder.follow('a', ControlClient.open(stream.dataDir))
    stream.send('member', row('idB', 'alive', 1, 0))
    stream.send('member', row('idB', 'suspect', 1, 0))
    await eventually('the suspicion is recorded', () => recorder.row('a', 'idB')?.status === 'suspect')
    recorder.introduce('idA', 'a')
    recorder.introduce('idB', 'b')
    assert.deepEqual(views(), [
      ['a', 'a', 'alive', 1, 0],
      ['a', 'b', 'alive', 1, 0],
      ['a', 'b', 'suspect', 1, 0],
    ])
    assert.equal(recorder.row('a', 'b')?.status, 'suspect')
  })

  it('writes down when a suspect turns out to be stalled', async () => {
    stream.snapshot = [row('idB', 'suspect', 1, 0)]
    await recorder.follow('a', ControlClient.open(stream.dataDir))
    stream.send('member', { ...row('idB', 'suspect', 1, 0), detail: 'stalled' })
    await eventually('the stall is recorded', () => views().length === 2)
    const stalled = recorder.history().map((event) => event.type === 'view' && event.stalled === true)
    assert.deepEqual(stalled, [false, true])
  })

  it('goes on after a lost stream, with what the next snapshot has changed', async () => {
    stream.snapshot = [row('idB', 'alive', 1, 0)]
    await recorder.follow('a', ControlClient.open(stream.dataDir))
    stream.snapshot = [row('idB', 'dead', 1, 0)]
    stream.hangUp()
    await eventually('the next snapshot is recorded', () => views().length === 2)
    assert.deepEqual(views()[1], ['a', 'idB', 'dead', 1, 0])
  })

  it('forgets the rows of a daemon that ends, and writes its next life down from the start', async () => {
    stream.snapshot = [row('idB', 'alive', 1, 0)]
    const client = ControlClient.open(stream.dataDir)
    await recorder.follow('a', client)
    recorder.unfollow('a')
    assert.deepEqual(recorder.rows('a'), [])
    await recorder.follow('a', client)
    assert.equal(views().length, 2)
  })

  it('reports a daemon that cannot be read at all', async () => {
    await assert.rejects(recorder.follow('a', ControlClient.open(join(stream.dataDir, 'nowhere'))), {
      code: 'ERR_DAEMON_NOT_RUNNING',
    })
  })

  it('stamps what is done with a clock that never goes back', () => {
    recorder.record({ type: 'started', peer: 'a', life: 1 })
    recorder.record({ type: 'killed', peer: 'a' })
    const [first, second] = recorder.history()
    assert.ok(first !== undefined && second !== undefined)
    assert.ok(0 <= first.at && first.at <= second.at)
  })

  it('wakes who waits at the next event, and at the latest after the given time', async () => {
    const woken = recorder.changed(60_000)
    recorder.record({ type: 'healed' })
    await woken
    await recorder.changed(1)
  })
})

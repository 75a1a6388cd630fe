import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { namespaces } from '../../../testnet/cluster/leftovers.ts'
import { runId } from '../../../testnet/cluster/namespace-names.ts'
import { Network } from '../../../testnet/cluster/network.ts'
import { networkTools, thisMachine } from '../../../testnet/cluster/network-tools.ts'
import { runTestnet } from '../../../testnet/cluster/testnet.ts'
import { eventually } from '../../support/eventually.ts'
import { runs } from './runs.ts'

const parentProgram = fileURLToPath(new URL('./network-parent.js', import.meta.url))
const nobody = { watch: () => {}, forget: () => {} }
const withinMs = 30_000
const bounds = { detectionMs: 20_000, convergenceMs: 20_000, graceMs: 20_000 }

function ownNamespaces(run = runId()): readonly string[] {
  return namespaces().filter((name) => name.includes(run))
}

/** Network namespaces take root and tools: where they lack, what is tested is that nothing is begun. */
async function obstacle(): Promise<unknown> {
  try {
    networkTools(thisMachine())
    const network = await Network.create(['n1'], nobody)
    network.close()
    return undefined
  } catch (error) {
    return error
  }
}

/** Puts daemons through steps in a network of their own; gives the code and the lines of output. */
async function run(
  steps: readonly object[],
  signal = new AbortController().signal,
  onLine: (line: { readonly phase?: string }) => void = () => {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'p2pd-network-'))
  const lines: Record<string, unknown>[] = []
  const stdout = {
    write(text: string) {
      const line = JSON.parse(text)
      lines.push(line)
      onLine(line)
      return true
    },
  }
  try {
    const scenario = join(folder, 'net.json')
    writeFileSync(scenario, JSON.stringify({ summary: 'A cut', peers: 3, network: true, bounds, steps }))
    const io = { stdout, stderr: { write: () => true }, env: process.env, signal }
    return { code: await runTestnet({ scenario, json: true }, io), lines }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const stopped = await obstacle()
const hasIp6 = thisMachine().ip6

describe('a testnet with a network of its own', function () {
  this.timeout(120_000)

  if (stopped !== undefined) {
    it('is not begun where that cannot be made, and says what is missing', async () => {
      await assert.rejects(run([{ do: 'form', withinMs }]), { code: 'ERR_TESTNET_NETWORK' })
      assert.deepEqual(ownNamespaces(), [])
    })
    return
  }

  it('is cut, mended and taken away, and real daemons notice each of it', async () => {
    const { code, lines } = await run([
      { do: 'form', withinMs },
      { do: 'cut', from: ['n1'], to: 'others', ways: 'both' },
      { do: 'expect', peer: 'n1', status: 'dead', by: ['n2', 'n3'], withinMs },
      { do: 'mend' },
      { do: 'settle', withinMs },
      { do: 'silence', peer: 'n3' },
      { do: 'expect', peer: 'n3', status: 'dead', withinMs },
      { do: 'readdress', peer: 'n3' },
      { do: 'start', peer: 'n3' },
      { do: 'expect', peer: 'n3', status: 'alive', withinMs },
    ])
    const verdict = lines.at(-1) as {
      violations: unknown
      failure: unknown
      times: Record<string, { count: number }>
    }
    assert.deepEqual([verdict.violations, verdict.failure], [[], null])
    assert.equal(code, 0)
    const mended = lines.find(({ phase }) => phase === 'mend')
    assert.ok(Number(mended?.packets) > 0)
    assert.equal(verdict.times.killed?.count, 2)
    assert.ok(Number(verdict.times.healed?.count) >= 2)
    assert.deepEqual(ownNamespaces(), [])
  })

  it('is taken away after Ctrl-C as well', async () => {
    const interruption = new AbortController()
    let meanwhile: readonly string[] = []
    const running = run([{ do: 'form', withinMs }], interruption.signal, ({ phase }) => {
      if (phase !== 'begin') return
      meanwhile = ownNamespaces()
      interruption.abort(new Error('Ctrl-C'))
    })
    await assert.rejects(running, /Ctrl-C/)
    assert.equal(meanwhile.length, 4)
    assert.deepEqual(ownNamespaces(), [])
  })

  it('knows that nothing was dropped where nothing was sent', async () => {
    const network = await Network.create(['n1', 'n2'], nobody)
    try {
      await network.cut(['n1'], ['n2'])
      assert.equal(await network.dropped(), 0)
    } finally {
      network.close()
    }
  })

  it('carries both families, is split for both, and tells what each peer has sent', async () => {
    const network = await Network.create(['n1', 'n2', 'n3'], nobody)
    const children: ChildProcess[] = []
    const inside = (name: string, script: string) => {
      const [program = '', ...args] = network.enter(name)
      const child = spawn(program, [...args, process.execPath, '-e', script], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      children.push(child)
      return createInterface({ input: child.stdout })
    }
    /** What becomes of a connect from n1 to n2. The kernel may take a second until IPv6 is carried for the first time. */
    const connect = async (address: string, patienceMs: number): Promise<string> => {
      const script = `
        const socket = require('net').connect(4000, '${address}', () => said('connected'))
        socket.on('error', ({ code }) => said(code))
        setTimeout(() => said('nothing'), ${patienceMs})
        function said(what) { console.log(what); process.exit() }`
      const [line] = (await once(inside('n1', script), 'line')) as [string]
      return line
    }
    try {
      const server = "require('net').createServer().listen(4000, '::', () => console.log('listens'))"
      await once(inside('n2', server), 'line')
      const addresses = ['10.77.2.2', 'fd77:0:0:2::2'].slice(0, hasIp6 ? 2 : 1)
      const all = (ms: number) => Promise.all(addresses.map((address) => connect(address, ms)))
      const before = await network.sentBytes()
      assert.deepEqual(
        await all(withinMs),
        addresses.map(() => 'connected'),
      )
      const after = await network.sentBytes()
      assert.ok(Number(after.get('n1')) >= Number(before.get('n1')) + 100 * addresses.length)
      await network.split(['n1', 'n3'])
      assert.deepEqual(
        await all(300),
        addresses.map(() => 'nothing'),
      )
      assert.ok((await network.dropped()) >= addresses.length)
      await network.mend()
      assert.deepEqual(
        await all(withinMs),
        addresses.map(() => 'connected'),
      )
    } finally {
      for (const child of children) child.kill('SIGKILL')
      network.close()
    }
  })

  /** Dies by SIGKILL; gives what it had made. */
  async function killed(how: 'reaped' | 'alone') {
    const parent = spawn(process.execPath, [parentProgram, how], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string]
    const made = JSON.parse(line) as { readonly run: string; readonly pid: number }
    assert.equal(ownNamespaces(made.run).length, 3)
    await eventually('the process is in its namespace', () => {
      return readlinkSync(`/proc/${made.pid}/ns/net`) !== readlinkSync('/proc/self/ns/net')
    })
    const ended = once(parent, 'exit')
    parent.kill('SIGKILL')
    await ended
    return made
  }

  it('goes with the process that made it, when that is killed with SIGKILL', async () => {
    const { run: made, pid } = await killed('reaped')
    await eventually('the reaper has removed it', () => ownNamespaces(made).length === 0)
    await eventually('what ran in it is killed', () => !runs(pid))
  })

  it('is taken away by the next one, when the reaper was killed too', async () => {
    const { run: made, pid } = await killed('alone')
    assert.equal(ownNamespaces(made).length, 3)
    const next = await Network.create(['n1'], nobody)
    next.close()
    assert.deepEqual([ownNamespaces(made), ownNamespaces()], [[], []])
    await eventually('what ran in it is killed', () => !runs(pid))
  })
})

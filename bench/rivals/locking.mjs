// What each program here does, whatever its locks are made of: it opens a client or a peer, takes and gives back
// locks when told to, and tells in JSON lines what it measured. Ours and the rivals are measured by this very code.
//
//   {"do":"open",…}                                       {"event":"open",…}: whatever `carry` says of itself
//   {"do":"ready"}                                        {"event":"ready"} when locks can be had
//   {"do":"alone","lock":"a","ms":2000}                   {"event":"alone","acquire":[ms…],"release":[ms…]}
//   {"do":"contend","lock":"a","contenders":6,"ms":2000}  {"event":"contend","entries":[[contender, asked, entered, left, token]…]}
//   {"do":"hold","lock":"a","leaseMs":2000}               {"event":"hold"}; it is never given back
//   {"do":"next","lock":"a","leaseMs":2000}               {"event":"next","at":…} when it was had
//   {"do":"trip","ms":2000}                               {"event":"trip","trips":[ms…]}: of `carrier.trip`
//
// Times are ms of the machine's clock, the same for all processes.
import { createInterface } from 'node:readline'

const now = () => performance.timeOrigin + performance.now()

/** `carry(options)` gives `{ about, ready(), acquire(lock, leaseMs) → { token, release() }, trip() }`, as far as it can. */
export function locking(carry) {
  const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`)
  let carrier
  const take = async (command) => {
    if (command.do === 'open') {
      carrier = await carry(command)
      return { event: 'open', ...carrier.about }
    }
    return await deeds[command.do](carrier, command)
  }
  let turn = Promise.resolve()
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      turn = turn.then(() => take(JSON.parse(line))).then(say, fail)
    })
    .once('close', () => process.exit(0))
}

const deeds = {
  async ready(carrier) {
    await carrier.ready()
    return { event: 'ready' }
  },

  async alone(carrier, { lock, ms }) {
    const acquire = []
    const release = []
    for (const end = now() + ms; now() < end; ) {
      const asked = now()
      const held = await carrier.acquire(lock)
      const entered = now()
      await held.release()
      acquire.push(entered - asked)
      release.push(now() - entered)
    }
    return { event: 'alone', acquire, release }
  },

  async contend(carrier, { lock, contenders, ms }) {
    const entries = []
    const end = now() + ms
    const contender = async (index) => {
      while (now() < end) {
        const asked = now()
        const held = await carrier.acquire(lock)
        const entered = now()
        const left = now()
        entries.push([index, asked, entered, left, held.token])
        await held.release()
      }
    }
    await Promise.all(Array.from({ length: contenders }, (_, index) => contender(index)))
    return { event: 'contend', entries }
  },

  async hold(carrier, { lock, leaseMs }) {
    await carrier.acquire(lock, leaseMs)
    return { event: 'hold' }
  },

  async next(carrier, { lock, leaseMs }) {
    const held = await carrier.acquire(lock, leaseMs)
    const at = now()
    await held.release()
    return { event: 'next', at }
  },

  async trip(carrier, { ms }) {
    const trips = []
    for (const end = now() + ms; now() < end; ) {
      const from = now()
      await carrier.trip()
      trips.push(now() - from)
    }
    return { event: 'trip', trips }
  },
}

function fail(error) {
  console.error(error)
  process.exit(1)
}

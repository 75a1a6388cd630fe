/** The port that was free when any would do: others know the peer by it, so it is kept. */
import { parseAddress } from './host/addresses.ts'
import type { Store } from './host/store.ts'

const namespace = 'host'
const key = 'port'

export function savedPort(store: Store): number | undefined {
  const bytes = store.load(namespace).get(key)
  return bytes === undefined ? undefined : Number(new TextDecoder().decode(bytes))
}

/** Of the addresses that were asked for, the first with port 0 says which settled one is meant. */
export async function savePort(
  store: Store,
  asked: readonly string[],
  settled: readonly string[],
): Promise<void> {
  const at = asked.findIndex((address) => parseAddress(address).port === 0)
  const port = settled[at] === undefined ? undefined : parseAddress(settled[at]).port
  if (port === undefined || port === savedPort(store)) return
  await store.write(namespace, new Map([[key, new TextEncoder().encode(String(port))]]))
}

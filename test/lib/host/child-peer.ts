import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { PeerId } from '../../../lib/protocols/core.ts'

export interface ChildPeer {
  readonly process: ChildProcess
  readonly id: PeerId
  readonly address: string
}

const children: ChildProcess[] = []

export async function forkEchoPeer(): Promise<ChildPeer> {
  const child = fork(new URL('./echo-child.js', import.meta.url))
  children.push(child)
  const [message] = (await once(child, 'message')) as [{ id: PeerId; address: string }]
  return { process: child, ...message }
}

export function killChildPeers(): void {
  for (const child of children.splice(0)) child.kill('SIGKILL')
}

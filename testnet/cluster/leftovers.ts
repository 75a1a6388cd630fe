/** Takes away network namespaces, with whatever still runs in them. Nothing else of this machine is touched. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { isLeftOver } from './namespace-names.ts'
import { findTool } from './network-tools.ts'

/** Where `ip netns` keeps them by name. */
const folder = '/run/netns'

/** Those of runs that are dead. Gives their names. */
export function removeLeftovers(): readonly string[] {
  const names = namespaces().filter(isLeftOver)
  for (const name of names) removeNamespace(name)
  return names
}

/** Its devices and rules go with it; one that is gone already is no error. */
export function removeNamespace(name: string): void {
  const ip = findTool('ip')
  if (ip === undefined || !namespaces().includes(name)) return
  const { stdout } = spawnSync(ip, ['netns', 'pids', name], { encoding: 'utf8' })
  for (const pid of (stdout ?? '').split('\n').map(Number)) if (pid > 1) kill(pid)
  spawnSync(ip, ['netns', 'delete', name], { stdio: 'ignore' })
}

export function namespaces(): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

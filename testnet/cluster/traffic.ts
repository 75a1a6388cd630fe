/** What the running daemons have sent to each other, by their own counters. */
import type { Cluster } from './cluster.ts'

export interface Traffic {
  /** Daemons that were asked: those that run at the end, each for its last life. */
  readonly daemons: number
  readonly framesSent: number
  readonly bytesSent: number
}

export async function measureTraffic(cluster: Cluster): Promise<Traffic> {
  const texts = await Promise.all(cluster.running().map(({ client }) => client.metrics()))
  return {
    daemons: texts.length,
    framesSent: sum(texts.map((text) => sample(text, 'p2pd_frames_sent_total'))),
    bytesSent: sum(texts.map((text) => sample(text, 'p2pd_sent_bytes_total'))),
  }
}

/** The sample without labels of that name; 0 where there is none. */
export function sample(text: string, name: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `))
  return line === undefined ? 0 : Number(line.slice(name.length + 1).split(' ')[0])
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** The questions, their bars, and what the figures mean. */
import type { BenchTools, Question } from '../harness.ts'
import type { Effort, Samples } from './samples.ts'
import type { Profile } from './side.ts'

export interface Answers {
  readonly ours: Readonly<Record<Profile, Samples>>
  readonly theirs: Samples
  /** Of bare libp2p nodes, until each has heard all. */
  readonly bareMs: readonly number[]
  readonly size: number
  readonly effort: Effort
  readonly tools: BenchTools
}

type Asked = Omit<Question, 'samples' | 'rival' | 'rivalSamples'> & { readonly of: keyof Samples }

export function report({ ours, theirs, bareMs, size, effort, tools }: Answers): void {
  for (const profile of ['lan', 'local'] as const) {
    for (const { of, question, ...asked } of questions(profile, size, effort)) {
      tools.report({
        ...asked,
        question: `${question} (${profile}, n = ${size})`,
        samples: ours[profile][of],
        rival: 'serf',
        rivalSamples: theirs[of],
      })
    }
    tools.report({
      question: `start of one more, beside a bare libp2p node until it has heard ${size} (${profile}, n = ${size})`,
      unit: 'ms',
      samples: ours[profile].joinMs,
      rival: 'libp2p',
      rivalSamples: bareMs,
    })
  }
}

function questions(profile: Profile, size: number, effort: Effort): readonly Asked[] {
  const local = profile === 'local'
  const seconds = (ms: number) => `${ms / 1000} s`
  const stopped = `stopped for ${seconds(effort.stopMs)}`
  return [
    { of: 'killMs', question: 'kill -9, until all know', unit: 'ms', limit: 1000, judge: 'worst' },
    {
      of: 'silentMs',
      question: 'silent death, until all know',
      unit: 'ms',
      limit: local ? 5000 : 8000,
    },
    {
      of: 'joinMs',
      question: `start of one more, until all ${size + 1} see all`,
      unit: 'ms',
      limit: 500,
    },
    {
      of: 'joinMs',
      question: `start of one more, until all ${size + 1} see all, the slowest`,
      unit: 'ms',
      limit: 2000,
      judge: 'worst',
    },
    { of: 'joinFromReadyMs', question: 'the same from when it says that it is ready', unit: 'ms' },
    { of: 'leaveMs', question: 'leave, until all know', unit: 'ms', limit: 1000, judge: 'worst' },
    { of: 'tagMs', question: 'tag changed, until all see it', unit: 'ms', limit: 1000, judge: 'worst' },
    { of: 'messageMs', question: 'message, until all hear it', unit: 'ms', limit: 1000, judge: 'worst' },
    {
      of: 'healMs',
      question: `partition of ${seconds(effort.partitionMs)}, from its end until all see all alive`,
      unit: 'ms',
      limit: local ? 4000 : 5000,
    },
    {
      of: 'stoppedCalledDead',
      question: `${stopped}: who calls it dead`,
      unit: 'members',
      limit: 0,
      judge: 'worst',
    },
    {
      of: 'stalledMs',
      question: `${stopped}: until all call it stalled`,
      unit: 'ms',
      limit: local ? 3000 : 5000,
    },
    {
      of: 'lossCalledDead',
      question: `10 % loss for ${seconds(effort.lossMs)}: healthy called dead`,
      unit: 'verdicts',
      limit: 0,
      judge: 'worst',
    },
    {
      of: 'calledDead',
      question: 'all above: healthy called dead',
      unit: 'verdicts',
      limit: 0,
      judge: 'worst',
    },
    { of: 'idleBytes', question: 'idle, sent by a member', unit: 'bytes/s', limit: 500 },
    { of: 'cpuPercent', question: 'idle processor time a daemon', unit: '% of a core' },
    { of: 'privateMib', question: 'private memory a daemon', unit: 'MiB', limit: 90 },
    { of: 'rssMib', question: 'resident memory a daemon', unit: 'MiB', limit: 130 },
  ]
}

/**
 * Shows how far a run is: one line a phase. On a terminal the line of the phase
 * that runs is live; elsewhere each line is written once, when its phase ends.
 */
export interface Output {
  write(text: string): boolean
  readonly isTTY?: boolean
}

export type Environment = Readonly<Record<string, string | undefined>>

export interface Progress {
  begin(text: string): void
  /** Ends the phase that runs. */
  end(outcome: 'ok' | 'failed', text: string): void
  note(text: string): void
  /** Wipes the phase that runs: it will not end. */
  clear(): void
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const frameMs = 100

export function createProgress(output: Output, env: Environment): Progress {
  return output.isTTY && env.TERM !== 'dumb' ? new LiveProgress(output, env) : new LineProgress(output)
}

/** https://no-color.org: set and not empty turns colour off, whatever its value. */
export function coloured(output: Output, env: Environment): boolean {
  return output.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
}

class LineProgress implements Progress {
  readonly #output: Output

  constructor(output: Output) {
    this.#output = output
  }

  begin(): void {}

  end(outcome: 'ok' | 'failed', text: string): void {
    this.#output.write(`${outcome === 'ok' ? 'ok    ' : 'FAILED'}  ${text}\n`)
  }

  note(text: string): void {
    this.#output.write(`        ${text}\n`)
  }

  clear(): void {}
}

class LiveProgress implements Progress {
  readonly #output: Output
  readonly #colour: boolean
  #timer: NodeJS.Timeout | undefined
  #frame = 0

  constructor(output: Output, env: Environment) {
    this.#output = output
    this.#colour = coloured(output, env)
  }

  begin(text: string): void {
    this.clear()
    const draw = (): void => {
      this.#output.write(`\r\x1b[K${frames[this.#frame++ % frames.length]} ${text}`)
    }
    draw()
    this.#timer = setInterval(draw, frameMs).unref()
  }

  end(outcome: 'ok' | 'failed', text: string): void {
    this.clear()
    this.#output.write(
      outcome === 'ok' ? `${this.#paint(32, '✓')} ${text}\n` : `${this.#paint(31, '✗')} ${text}\n`,
    )
  }

  note(text: string): void {
    this.clear()
    this.#output.write(`  ${text}\n`)
  }

  clear(): void {
    clearInterval(this.#timer)
    this.#output.write('\r\x1b[K')
  }

  #paint(colour: number, text: string): string {
    return this.#colour ? `\x1b[${colour}m${text}\x1b[39m` : text
  }
}

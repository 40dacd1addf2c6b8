import { destination, type DestinationStream } from 'pino'

/** How many lines are gathered at most. */
const mostLines = 200
/** How long a line waits for others at most, in milliseconds. */
const longestWait = 100

/** How much waits at most for a reader that has stalled, in characters; what comes then is dropped, and counted. */
const mostWaiting = 16 * 1024 * 1024

/** Standard output, to which lines are written some at a time, because a system call for each would cost more than the line. */
class GatheredOutput implements DestinationStream {
  readonly #output = destination({ fd: 1, sync: false, maxLength: mostWaiting })
  #lines: string[] = []
  #dropped = 0
  #ending = false

  constructor() {
    setInterval(() => this.#flush(), longestWait).unref()
    process.on('exit', () => {
      this.#ending = true
      this.#finish()
    })
    this.#output.on('drop', (lines: string) => (this.#dropped += lines.split('\n').length - 1))
    // Whoever read our output may go away; that is no reason to stop serving.
    this.#output.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }

  write(line: string): void {
    this.#lines.push(line)
    if (this.#ending) this.#finish()
    else if (this.#lines.length >= mostLines) this.#flush()
  }

  /** While the process ends, other code that hears of it may still log; nothing is written later. */
  #finish(): void {
    this.#flush()
    this.#output.flushSync()
  }

  #flush(): void {
    if (this.#lines.length === 0) return
    const lines = this.#lines
    this.#lines = []
    if (this.#dropped > 0) {
      lines.push(`${JSON.stringify({ level: 40, time: new Date().toISOString(), message: `${this.#dropped} log lines were dropped: nobody read them fast enough` })}\n`)
      this.#dropped = 0
    }
    this.#output.write(lines.join(''))
  }
}

let gathered: GatheredOutput | null = null

/** Where the lines of every app in this process go by default: lines of JSON, or readable ones where standard output is a terminal. */
export async function standardOutput(): Promise<DestinationStream> {
  if (!process.stdout.isTTY) return (gathered ??= new GatheredOutput())
  const { default: pretty } = await import('pino-pretty')
  return pretty({ messageKey: 'message' })
}

import { destination, pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino'
import type { Configuration } from './configuration/settings.js'

/** An app's log. */
export interface Log {
  readonly logger: Logger
  /** Writes a line that is made already, as the lines of requests are. */
  readonly writeLine: (line: string) => void
}

/**
 * Opens the app's log: one JSON line for each event on standard output; readable lines where that is a terminal.
 *
 * @param stream where lines go instead
 */
export async function openLog({ logLevel }: Configuration, stream?: DestinationStream): Promise<Log> {
  const output = stream ?? (process.stdout.isTTY ? await openTerminal() : new GatheredOutput())
  const logger = pino({ level: logLevel, base: undefined, messageKey: 'message', timestamp: stdTimeFunctions.isoTime }, output)
  return { logger, writeLine: logger.isLevelEnabled('info') ? (line) => void output.write(line) : () => undefined }
}

async function openTerminal(): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty')
  return pretty({ messageKey: 'message' })
}

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

  constructor() {
    setInterval(() => this.#flush(), longestWait).unref()
    process.on('exit', () => {
      this.#flush()
      this.#output.flushSync()
    })
    this.#output.on('drop', (lines: string) => (this.#dropped += lines.split('\n').length - 1))
    // Whoever read our output may go away; that is no reason to stop serving.
    this.#output.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }

  write(line: string): void {
    this.#lines.push(line)
    if (this.#lines.length >= mostLines) this.#flush()
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

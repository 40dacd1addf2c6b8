import { write } from 'node:fs'
import type { DestinationStream } from 'pino'
import { reasonOf } from './log-file.js'
import { isBusy, OutputDescriptor, sleep } from './output-descriptor.js'

/** How many lines are gathered at most. */
const mostLines = 200
/** How long a line waits for others at most, in milliseconds. */
const longestWait = 100
/** The same on a terminal, where whoever has done something looks for its line. */
const longestWaitOnTerminal = 10
/** How much is written at once, in characters. */
const longestWrite = 1024 * 1024
/** How much waits at most for a reader that has stalled or a disk that is full, in characters; what comes then is dropped, and counted. */
const mostWaiting = 16 * 1024 * 1024
/** How long after a failure the next attempt is made, in milliseconds. */
const retryInterval = 1000
/** How long a slow reader is left alone at first and at most, in milliseconds. */
const shortestPause = 2
const longestPause = 64
/** How long the end of the process waits for a reader that takes nothing, and for one that takes little at a time, in milliseconds. */
const lastWait = 1000
const longestLastWait = 5000

const newline = 0x0a

/** Takes what is to be said elsewhere about standard output. */
export type Teller = (level: 'info' | 'error', message: string) => void

/** Some whole lines on their way out, up to `offset` written. */
interface Chunk {
  readonly bytes: Buffer
  offset: number
}

/**
 * Standard output, to which lines are written some at a time, because a system call for each would cost more than the line. Whatever becomes of its reader, or of the disk that it is on,
 * is no reason to stop serving, nor to keep the process from ending: lines wait, and beyond a limit they are dropped and counted.
 */
export class StandardOutput implements DestinationStream {
  readonly #descriptor = new OutputDescriptor()
  readonly #format: ((line: string) => string) | null
  readonly #tellers = new Set<Teller>()
  #lines: string[] = []
  #waiting = 0
  #dropped = 0
  #chunk: Chunk | null = null
  #isUnderWay = false
  #isFailing = false
  #retryAt = 0
  #pause = shortestPause
  /** When the process stops waiting for standard output; null as long as it does not end. */
  #endsAt: number | null = null

  /** @param format what becomes of a line before it is written; null to leave it as it is */
  constructor(format: ((line: string) => string) | null) {
    this.#format = format
    setInterval(() => this.#flush(), format === null ? longestWait : longestWaitOnTerminal).unref()
    process.on('exit', () => this.#finish())
  }

  write(line: string): void {
    if (this.#waiting + line.length > mostWaiting) {
      this.#dropped++
      return
    }
    this.#add(line)
    // While the process ends, other code that hears of it may still log; nothing is written later.
    if (this.#endsAt !== null) this.#finish()
    else if (this.#lines.length >= mostLines) this.#flush()
  }

  /** Lets `tell` know, beside standard error, that standard output cannot be written, or can be again. Returns what ends that. */
  tellAlso(tell: Teller): () => void {
    this.#tellers.add(tell)
    return () => void this.#tellers.delete(tell)
  }

  #add(line: string): void {
    this.#lines.push(line)
    this.#waiting += line.length
  }

  #flush(): void {
    if (this.#isUnderWay || Date.now() < this.#retryAt) return
    for (let chunk = this.#next(); chunk !== null; chunk = this.#next()) {
      if (!this.#descriptor.isImmediate) {
        this.#writeByThread(chunk)
        return
      }
      try {
        this.#advance(chunk, this.#descriptor.writeNow(chunk.bytes, chunk.offset))
      } catch (error) {
        this.#fail(error)
        return
      }
    }
  }

  #writeByThread(chunk: Chunk): void {
    this.#isUnderWay = true
    this.#descriptor.writeByThread(chunk.bytes, chunk.offset, (error, written) => {
      // The end of the process may have seen to this write meanwhile.
      if (!this.#isUnderWay) return
      this.#isUnderWay = false
      if (error === null) this.#advance(chunk, written)
      else this.#fail(error)
      if (this.#chunk !== null || this.#lines.length >= mostLines) this.#flush()
    })
  }

  /** Writes what is left before it returns, as far as it can be written and somebody takes it. */
  #finish(): void {
    this.#endsAt ??= Date.now() + longestLastWait
    if (this.#isUnderWay) {
      this.#isUnderWay = false
      this.#descriptor.awaitThread()
      this.#chunk = null
    }
    let givesUpAt = Date.now() + lastWait
    for (let chunk = this.#next(); chunk !== null; chunk = this.#next()) {
      try {
        this.#advance(chunk, this.#descriptor.writeNow(chunk.bytes, chunk.offset))
        givesUpAt = Date.now() + lastWait
      } catch (error) {
        if (!isBusy(error)) return
        if (Date.now() >= Math.min(this.#endsAt, givesUpAt)) {
          // Nor does the next line wait.
          this.#endsAt = 0
          return
        }
        sleep(shortestPause)
      }
    }
  }

  /** What is to be written now, or null when there is nothing. */
  #next(): Chunk | null {
    if (this.#chunk === null && this.#lines.length > 0) this.#chunk = { bytes: Buffer.from(this.#take()), offset: 0 }
    return this.#chunk
  }

  /** The next lines, as many as are written at once; one at least. */
  #take(): string {
    let count = this.#waiting <= longestWrite ? this.#lines.length : 0
    for (let length = 0; length < longestWrite && count < this.#lines.length; count++) length += this.#lines[count]?.length ?? 0
    const lines = this.#lines.splice(0, count)
    for (const line of lines) this.#waiting -= line.length
    // Where they are missing: lines are dropped only behind those that wait.
    if (this.#lines.length === 0 && this.#dropped > 0) {
      lines.push(toLine(40, `${this.#dropped} log lines were dropped: they could not be written, or nobody read them fast enough`))
      this.#dropped = 0
    }
    return this.#format === null ? lines.join('') : lines.map(this.#format).join('')
  }

  #advance(chunk: Chunk, written: number): void {
    this.#pause = shortestPause
    chunk.offset += written
    if (chunk.offset >= chunk.bytes.length) this.#chunk = null
    if (!this.#isFailing) return
    this.#isFailing = false
    const message = 'standard output can be written again'
    this.#add(toLine(30, message))
    this.#tell('info', message)
  }

  #fail(error: unknown): void {
    if (isBusy(error)) {
      this.#retryAt = Date.now() + this.#pause
      setTimeout(() => this.#flush(), this.#pause).unref()
      this.#pause = Math.min(this.#pause * 2, longestPause)
      return
    }
    this.#retryAt = Date.now() + retryInterval
    const reason = reasonOf(error)
    const isUnread = reason === 'EPIPE'
    // Nobody may ever come to read them.
    if (isUnread) this.#dropAll()
    if (this.#isFailing) return
    this.#isFailing = true
    this.#tell('error', isUnread ? 'nobody reads standard output any more (EPIPE); its lines are dropped' : `standard output cannot be written (${reason}); its lines wait until it can`)
  }

  #dropAll(): void {
    const { bytes, offset } = this.#chunk ?? { bytes: Buffer.alloc(0), offset: 0 }
    for (let at = bytes.indexOf(newline, offset); at !== -1; at = bytes.indexOf(newline, at + 1)) this.#dropped++
    this.#dropped += this.#lines.length
    this.#chunk = null
    this.#lines = []
    this.#waiting = 0
  }

  #tell(level: 'info' | 'error', message: string): void {
    // It may be in the same state, and is written to by nothing that throws or waits.
    write(2, `${message}\n`, () => undefined)
    for (const tell of this.#tellers) tell(level, message)
  }
}

function toLine(level: number, message: string): string {
  return `${JSON.stringify({ level, time: new Date().toISOString(), message })}\n`
}

let output: StandardOutput | null = null

/** Where the lines of every app in this process go by default: lines of JSON, or readable ones where standard output is a terminal. */
export async function standardOutput(): Promise<StandardOutput> {
  if (output !== null) return output
  if (!process.stdout.isTTY) return (output = new StandardOutput(null))
  const { terminalLines } = await import('./terminal-lines.js')
  return (output ??= new StandardOutput(terminalLines()))
}

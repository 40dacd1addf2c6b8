import { write, writeSync } from 'node:fs'
import type { DestinationStream } from 'pino'
import { RotatingFile, type RotatingFileOptions } from './rotating-file.js'

/** What a log file needs from its owner. */
export interface LogFileOptions extends RotatingFileOptions {
  /** Says elsewhere that the file cannot be written, or can be again. */
  readonly tell: (level: 'info' | 'error', message: string) => void
  /** The line that stands for lines which were dropped. */
  readonly describeLoss: (count: number) => string
}

/** How many lines are gathered at most. */
const mostLines = 200
/** How long a line waits for others at most, in milliseconds. */
const longestWait = 100
/** How much is written at once, in bytes. */
const longestWrite = 1024 * 1024
/** How much waits at most while the disk is full or slow, in characters; what comes then is dropped, and counted. */
const mostWaiting = 16 * 1024 * 1024
/** How long after a failure the next attempt is made, in milliseconds. */
const retryInterval = 1000
/** How long the end of the process waits for a write that is under way, in milliseconds. */
const lastWait = 1000

const newline = 0x0a

/** Some whole lines on their way into the file, up to `offset` written. */
interface Chunk {
  readonly bytes: Buffer
  offset: number
}

/**
 * A log file. Lines are gathered for a moment and written by a thread of libuv's, so that the event loop does not wait for a slow disk; each is written whole and in order, into the
 * file that has the name at that moment. While the file cannot be written, because the disk is full for instance, lines wait. What is gathered when the process ends is written then.
 */
export class LogFile implements DestinationStream {
  readonly #file: RotatingFile
  readonly #tell: LogFileOptions['tell']
  readonly #describeLoss: LogFileOptions['describeLoss']
  readonly #timer: NodeJS.Timeout
  readonly #atExit = (): void => this.close()
  #lines: string[] = []
  #waiting = 0
  #dropped = 0
  #chunk: Chunk | null = null
  /** The chunk that a thread is writing. */
  #underWay: Chunk | null = null
  #failing = false
  #retryAt = 0
  #rotateAt = 0
  #closed = false

  /** Opens the file. @throws what the system says when that does not work */
  constructor(options: LogFileOptions) {
    this.#file = new RotatingFile(options)
    this.#tell = options.tell
    this.#describeLoss = options.describeLoss
    this.#file.follow()
    this.#timer = setInterval(() => this.#flush(), longestWait).unref()
    // Before standard output says its last, which may be about this file.
    process.prependListener('exit', this.#atExit)
  }

  write(line: string): void {
    if (this.#waiting + line.length > mostWaiting) {
      this.#dropped++
      return
    }
    if (this.#dropped > 0) this.#add(this.#describeLoss(this.#dropped))
    this.#dropped = 0
    this.#add(line)
    if (this.#closed) this.close()
    else if (this.#lines.length >= mostLines) this.#flush()
  }

  /** Writes what is gathered and gives the file up. A line that comes later is written at once. */
  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    process.off('exit', this.#atExit)
    this.#writeAll()
    // While a thread still writes, its descriptor must not be given to another file.
    if (this.#underWay === null) this.#file.close()
  }

  #add(line: string): void {
    this.#lines.push(line)
    this.#waiting += line.length
  }

  #flush(): void {
    if (this.#underWay !== null || Date.now() < this.#retryAt) return
    const chunk = this.#next()
    if (chunk === null) return
    this.#underWay = chunk
    write(this.#file.descriptor, chunk.bytes, chunk.offset, (error, written) => {
      // The end of the process, or of the app, may have seen to this write meanwhile.
      if (this.#underWay !== chunk) return
      this.#underWay = null
      if (error === null) this.#advance(chunk, written)
      else this.#fail(error)
      if (this.#closed) this.close()
      else if (this.#chunk !== null || this.#lines.length >= mostLines) this.#flush()
    })
  }

  /** Writes everything before it returns, as far as that is possible. */
  #writeAll(): void {
    if (!this.#finishWrite()) return
    for (let chunk = this.#next(); chunk !== null; chunk = this.#next()) {
      try {
        this.#advance(chunk, writeSync(this.#file.descriptor, chunk.bytes, chunk.offset))
      } catch (error) {
        this.#fail(error)
        return
      }
    }
  }

  /** Waits for a write that a thread has begun, and of which the event loop will not be told any more. Returns whether nothing is under way. */
  #finishWrite(): boolean {
    const chunk = this.#underWay
    if (chunk === null) return true
    const expected = this.#file.size + chunk.bytes.length - chunk.offset
    const clock = new Int32Array(new SharedArrayBuffer(4))
    const deadline = Date.now() + lastWait
    while (this.#file.measure() < expected) {
      if (Date.now() >= deadline) return false
      Atomics.wait(clock, 0, 0, 1)
    }
    this.#underWay = null
    this.#advance(chunk, chunk.bytes.length - chunk.offset)
    return true
  }

  /** What is to be written now, or null when there is nothing or it cannot be. */
  #next(): Chunk | null {
    if (this.#chunk === null && this.#lines.length === 0) return null
    try {
      const isAnother = this.#file.follow()
      // The line that was being written when the file went away begins again in the new one.
      if (isAnother && this.#chunk !== null && this.#chunk.offset > 0) this.#chunk.offset = this.#chunk.bytes.lastIndexOf(newline, this.#chunk.offset - 1) + 1
      return (this.#chunk ??= { bytes: this.#take(), offset: 0 })
    } catch (error) {
      this.#fail(error)
      return null
    }
  }

  /** The next lines, as many as fit; one at least. */
  #take(): Buffer {
    const [first = ''] = this.#lines
    if (this.#file.size > 0 && this.#file.room < Buffer.byteLength(first)) this.#rotate()
    const room = this.#rotateAt === 0 ? Math.min(longestWrite, this.#file.room) : longestWrite
    // A character has at most three bytes for each of its units; where all lines fit anyway, which is nearly always, they need not be counted.
    if (this.#waiting * 3 <= room) return Buffer.from(this.#takeLines(this.#lines.length))
    let [count, bytes] = [0, 0]
    for (const line of this.#lines) {
      bytes += Buffer.byteLength(line)
      if (count > 0 && bytes > room) break
      count++
    }
    return Buffer.from(this.#takeLines(count))
  }

  #takeLines(count: number): string {
    const text = this.#lines.splice(0, count).join('')
    this.#waiting -= text.length
    return text
  }

  #rotate(): void {
    if (Date.now() < this.#rotateAt) return
    try {
      this.#file.rotate()
      this.#rotateAt = 0
    } catch (error) {
      if (this.#rotateAt === 0) this.#tell('error', `the log file ${this.#file.path} cannot be put aside (${reasonOf(error)}); it grows beyond logging.maxSize`)
      this.#rotateAt = Date.now() + retryInterval
      this.#file.follow()
    }
  }

  #advance(chunk: Chunk, written: number): void {
    chunk.offset += written
    if (chunk.offset >= chunk.bytes.length) this.#chunk = null
    if (!this.#failing) return
    this.#failing = false
    this.#tell('info', `the log file ${this.#file.path} can be written again`)
  }

  #fail(error: unknown): void {
    this.#retryAt = Date.now() + retryInterval
    if (this.#failing) return
    this.#failing = true
    this.#tell('error', `the log file ${this.#file.path} cannot be written (${reasonOf(error)}); its lines wait until it can`)
  }
}

/** Why the system refused: its code where there is one. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error ? String(error.code) : error.message
}

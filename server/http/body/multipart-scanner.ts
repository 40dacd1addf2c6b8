import { refusal } from '../http-error.js'
import { readPartHeaders, type PartHeaders } from './part-headers.js'

/** One part of a multipart body: its headers, and where its content lies in the body. */
export interface Part {
  readonly headers: PartHeaders
  /** Offsets in the body, in bytes. */
  readonly start: number
  readonly end: number
}

/** More parts than any form has; each costs far more to take apart than to send. */
const mostParts = 1000
/** The longest that the headers of one part may be, in bytes, as for the headers of a request. */
const longestHeaders = 16 * 1024
/** How many spaces may follow a boundary on its line. */
const longestPadding = 256

/** How much of a chunk is joined with what was left over of the one before, in bytes, to begin with. */
const seamLength = 1024

const none = Buffer.alloc(0)
const lineBreak = Buffer.from('\r\n')
const blankLine = Buffer.from('\r\n\r\n')
const [dash, space, tab, carriageReturn, lineFeed] = [0x2d, 0x20, 0x09, 0x0d, 0x0a]

/** A line with the boundary in it: where it ends, at its line break, and whether it is the last one. */
interface DelimiterLine {
  readonly end: number
  readonly isLast: boolean
}

/** How far the bytes have been understood, and whether what follows can only be judged once more of them are there. */
interface Progress {
  readonly position: number
  readonly isWaiting: boolean
}

/**
 * Finds the parts of a multipart body (RFC 2046, 5.1.1) while it arrives, however it is cut into chunks. It keeps no content: a part is a stretch of the body, which is kept elsewhere.
 * A boundary only counts with nothing but spaces behind it on its line, so that a longer line that starts like it is content.
 */
export class MultipartScanner {
  readonly #boundary: string
  readonly #delimiter: Buffer
  readonly #parts: Part[] = []
  #state: 'preamble' | 'headers' | 'content' | 'epilogue' = 'preamble'
  /** What has arrived and could not be judged yet, and where it starts in the body. The line break before the first boundary is optional, so one is imagined before the body. */
  #rest: Buffer = lineBreak
  #restStart = -lineBreak.length
  #headers: PartHeaders | null = null
  #contentStart = 0
  #headerLength = 0

  constructor(boundary: string) {
    this.#boundary = boundary
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
  }

  /** How long the headers of all parts are that have been found, in bytes: they are kept in memory. */
  get headerLength(): number {
    return this.#headerLength
  }

  /** @throws HttpError 400 when the body is malformed or has more than 1000 parts */
  push(chunk: Buffer): void {
    let taken = 0
    // What was left over is joined with as much of the chunk as it takes to judge it; copying whole chunks would cost more than all else here.
    for (let length = seamLength; this.#rest.length > 0 && taken < chunk.length; length *= 2) {
      const seam = Buffer.concat([this.#rest, chunk.subarray(taken, taken + length)])
      const understood = this.#scan(seam)
      taken += seam.length - this.#rest.length
      const isJudged = understood >= this.#rest.length
      if (isJudged) taken -= seam.length - understood
      this.#rest = isJudged ? none : seam.subarray(understood)
    }
    if (this.#rest.length > 0) return
    const bytes = chunk.subarray(taken)
    // A copy, so that a few bytes do not keep a whole chunk.
    this.#rest = Buffer.from(bytes.subarray(this.#scan(bytes)))
  }

  /**
   * The parts, once the whole body has been pushed.
   *
   * @throws HttpError 400 when it ends too early
   */
  finish(): readonly Part[] {
    if (this.#state !== 'epilogue' && !this.#endsWithLastBoundary()) {
      const missing = this.#state === 'preamble' ? `the boundary --${this.#boundary} is not in it` : `it ends without the closing boundary --${this.#boundary}--`
      throw refusal('malformed-multipart', `the multipart form is malformed: ${missing}`)
    }
    return this.#parts
  }

  /** @returns how many of the bytes have been understood; the others have to come again, with more behind them */
  #scan(bytes: Buffer): number {
    let progress: Progress = { position: 0, isWaiting: false }
    while (!progress.isWaiting) progress = this.#advance(bytes, progress.position)
    this.#restStart += progress.position
    return progress.position
  }

  #advance(bytes: Buffer, position: number): Progress {
    if (this.#state === 'epilogue') return { position: bytes.length, isWaiting: true }
    return this.#state === 'headers' ? this.#passHeaders(bytes, position) : this.#passDelimiter(bytes, position)
  }

  /** Looks for the next line with the boundary. What comes before it is content, or the preamble, which nobody reads. */
  #passDelimiter(bytes: Buffer, position: number): Progress {
    for (let at = bytes.indexOf(this.#delimiter, position); at !== -1; at = bytes.indexOf(this.#delimiter, at + 1)) {
      const line = readDelimiterLine(bytes, at + this.#delimiter.length)
      if (line === 'incomplete') return { position: at, isWaiting: true }
      if (line === null) continue
      this.#endPart(this.#restStart + at)
      if (!line.isLast && this.#parts.length === mostParts) {
        throw refusal('too-many-fields', `the multipart form has more than ${mostParts} parts`)
      }
      this.#state = line.isLast ? 'epilogue' : 'headers'
      return { position: line.end, isWaiting: false }
    }
    // The last bytes may be the beginning of a boundary.
    return { position: Math.max(position, bytes.length - this.#delimiter.length + 1), isWaiting: true }
  }

  /** Reads the headers of a part, which start after the line break at `position`. */
  #passHeaders(bytes: Buffer, position: number): Progress {
    const end = bytes.indexOf(blankLine, position)
    if ((end === -1 ? bytes.length : end) - position > longestHeaders) {
      const what = `the headers of part ${this.#parts.length + 1} are longer than ${longestHeaders} bytes`
      throw refusal('malformed-multipart', `the multipart form is malformed: ${what}`)
    }
    if (end === -1) return { position, isWaiting: true }
    this.#headerLength += end - position
    this.#headers = readPartHeaders(bytes.subarray(position, end), this.#parts.length + 1)
    this.#contentStart = this.#restStart + end + blankLine.length
    this.#state = 'content'
    // Where there is no content, its boundary may share the line break of the blank line.
    return { position: end + lineBreak.length, isWaiting: false }
  }

  #endPart(end: number): void {
    if (this.#headers === null) return
    this.#parts.push({ headers: this.#headers, start: this.#contentStart, end: Math.max(this.#contentStart, end) })
    this.#headers = null
  }

  /** A body may end with its last boundary, without another line break. */
  #endsWithLastBoundary(): boolean {
    const delimiter = this.#delimiter.length
    if (this.#state === 'headers' || !this.#rest.subarray(0, delimiter).equals(this.#delimiter) || !/^--[ \t]*$/.test(this.#rest.toString('latin1', delimiter))) return false
    this.#endPart(this.#restStart)
    return true
  }
}

/** Judges what follows a boundary: the end of its line, after spaces at most, makes it one (RFC 2046, 5.1.1, transport-padding); null says that it is none. */
function readDelimiterLine(bytes: Buffer, start: number): DelimiterLine | null | 'incomplete' {
  const isLast = bytes[start] === dash && bytes[start + 1] === dash
  let end = isLast ? start + 2 : start
  while (end - start <= longestPadding && (bytes[end] === space || bytes[end] === tab)) end++
  if (bytes[end] === carriageReturn && bytes[end + 1] === lineFeed) return { end, isLast }
  const mayGoOn = end === bytes.length || (bytes[end] === carriageReturn && end + 1 === bytes.length) || (bytes[end] === dash && end === start && end + 1 === bytes.length)
  return mayGoOn ? 'incomplete' : null
}

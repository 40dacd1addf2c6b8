import { tooLong } from '../../http/reply/encode-json.js'

/** For the cursor, in bytes: a longer one does not fit into the URL of the next request. */
const longestCursor = 16 * 1024

/** The text of a page of a list as it grows, row by row, and is taken, piece by piece; it ends before it is longer than an answer may be. */
export class PageText {
  readonly #limit: number
  readonly #most: number
  #rows: string[] = []
  #isTaken = false
  #length = 0
  #count = 0
  #isFull = false

  /** @param limit the longest that it may be, in bytes */
  constructor(limit: number) {
    this.#limit = limit
    this.#most = limit - Math.min(longestCursor, limit / 4)
  }

  /** How many rows it has. */
  get count(): number {
    return this.#count
  }

  /** Whether there was no room for a row. */
  get isFull(): boolean {
    return this.#isFull
  }

  /**
   * Adds a row, and says whether there was room for it. There always is for the first.
   *
   * @throws UnsendableValue for a first one that is too long for any page
   */
  add(row: string): boolean {
    if (this.#isFull) return false
    const length = Buffer.byteLength(row) + 1
    if (this.#count === 0 && length > this.#limit) throw tooLong(length, this.#limit)
    this.#isFull = this.#count > 0 && this.#length + length > this.#most
    if (this.#isFull) return false
    this.#rows.push(row)
    this.#length += length
    this.#count++
    return true
  }

  /** What has been added since the last time. */
  take(): string {
    const rows = this.#rows.join(',')
    const start = this.#isTaken ? (rows === '' ? '' : ',') : '{"rows":['
    this.#isTaken = true
    this.#rows = []
    return start + rows
  }

  /** The end of the page, with the cursor for the next one. */
  end(cursor: string | null): string {
    return `],"cursor":${JSON.stringify(cursor)}}`
  }
}

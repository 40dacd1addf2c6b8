/** For the cursor, in bytes: a longer one does not fit into the URL of the next request. */
const longestCursor = 16 * 1024

/** The text of a page of a list as it grows, row by row, so that it ends before it is too long to be sent. */
export class PageText {
  readonly #limit: number
  readonly #rows: string[] = []
  #length = 0

  /** @param limit the longest that it may be, in bytes */
  constructor(limit: number) {
    this.#limit = limit - Math.min(longestCursor, limit / 4)
  }

  /** Adds a row, and says whether there was room for it. */
  add(row: string): boolean {
    this.#length += Buffer.byteLength(row) + 1
    if (this.#length > this.#limit && this.#rows.length > 0) return false
    this.#rows.push(row)
    return true
  }

  /** The page, with the cursor for the next one. */
  end(cursor: string | null): string {
    return `{"rows":[${this.#rows.join(',')}],"cursor":${JSON.stringify(cursor)}}`
  }
}
